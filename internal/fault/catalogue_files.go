package fault

// The causes in a folder of instruction files, and in what reads there.
const (
	FilesFolderMissing Cause = "files.folder_missing"
	FilesFolderRefused Cause = "files.folder_refused"
	FilesFolderFailed  Cause = "files.folder_failed"
	FilesFull          Cause = "files.disk_full"
	FilesNotTaken      Cause = "files.not_taken"

	FilesRefused   Cause = "files.refused"
	FilesChanged   Cause = "files.changed_after"
	FilesRemoved   Cause = "files.removed_after"
	FilesName      Cause = "files.name"
	FilesNameTaken Cause = "files.name_taken"
	FilesTemplate  Cause = "files.template"
	FilesCharset   Cause = "files.charset"
)

func filesEntries() []Entry {
	const system = "Files"
	return []Entry{
		{FilesFolderMissing, system, "The folder for the other system's files is not there", Connection, Critical, "mount it, or make it; files are written when it is there", "shelfstream check -connect", true},
		{FilesFolderRefused, system, "The folder for the other system's files may not be written", Refused, Critical, "give this process's user the right to write there, or mount it for writing", "shelfstream check -connect", true},
		{FilesFolderFailed, system, "The file system of the other system's folder fails", Connection, Critical, "look at the mount and at its server", "", true},
		{FilesFull, system, "The disk of the other system's folder is full", Full, Critical, "make room there", "", true},
		{FilesNotTaken, system, "The other system does not take its files", Silent, Critical, "see that its import runs and reads the folder", "", true},
		{FilesRefused, system, "The other system refused a file", Invalid, Error, "put right what it says, and remove its answer; the file is written anew", "", true},
		{FilesChanged, system, "An order changed after its file was handed over", Conflict, Error, "make the change in the other system too, and say so with the file that the fault names", "", true},
		{FilesRemoved, system, "An order was removed after its file was handed over", Conflict, Error, "remove it in the other system too, and say so with the file that the fault names", "", true},
		{FilesName, system, "An order's file would have no usable name", Invalid, Error, "correct the column, or the template of names", "", true},
		{FilesNameTaken, system, "The name of an order's file is taken", Conflict, Error, "let the reader take the other file, or let the template of names tell them apart", "", true},
		{FilesTemplate, system, "The template makes no file of an order", Invalid, Error, "correct the order, a rule or the template; it is tried again within a minute", "", true},
		{FilesCharset, system, "A file's charset lacks a character of an order", Invalid, Error, "write the text without it, let a rule replace it, or choose another charset", "", true},
	}
}
