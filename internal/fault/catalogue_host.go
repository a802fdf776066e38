package fault

// The causes in the machine that Shelfstream runs on.
const (
	DiskFull      Cause = "disk.full"
	DiskUnusable  Cause = "disk.unusable"
	DiskFailed    Cause = "disk.failed"
	DirectoryBusy Cause = "host.directory_in_use"
	AddressTaken  Cause = "host.address_in_use"
)

func hostEntries() []Entry {
	const system = "Shelfstream"
	return []Entry{
		{DiskFull, system, "A disk of Shelfstream's is full", Full, Critical, "make room on it; nothing is lost meanwhile", "", true},
		{DiskUnusable, system, "A directory of Shelfstream's cannot be written", Refused, Critical, "correct the path or its permissions, or name another", "shelfstream check", false},
		{DiskFailed, system, "A disk of Shelfstream's cannot be written any more", Full, Critical, "see that the disk works and has room, and start again", "", false},
		{DirectoryBusy, system, "Another process uses the same directory", Conflict, Critical, "stop that process, or name another directory", "", false},
		{AddressTaken, system, "Another program listens on the same address", Conflict, Critical, "end that program, or choose another address", "shelfstream check", false},
	}
}
