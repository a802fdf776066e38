package files

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"shelfstream/internal/fault"
	"shelfstream/sink/render"
)

// Config is the section "files" of a sink.
type Config struct {
	Tables map[string]TableConfig `yaml:"tables" required:"true" doc:"The kinds of files by a name of your own, and what each is made of: one file for each record of a view."`
}

// TableConfig says how the files of one view are made, and where they go.
type TableConfig struct {
	From         string            `yaml:"from" required:"true" doc:"A view (order)."`
	Dir          string            `yaml:"dir" required:"true" doc:"The folder, which the other system reads by itself. It must be there, and the temporary files lie in it too, so it is one file system."`
	Name         string            `yaml:"name" required:"true" doc:"Name of a record's file, as a template: \"{{.order_no}}.edi\". Two records must not have the same."`
	Template     string            `yaml:"template" doc:"One that is built in: visma_order, sap_orders05, csv or json. Instead of template_file."`
	TemplateFile string            `yaml:"template_file" doc:"A file with a template of your own (Go's text/template with the functions of Shelfstream). Instead of template."`
	Format       string            `yaml:"format" enum:"text,edi,csv,json,xml" doc:"How values are written in a template of your own: text as they are; edi refuses semicolons and line breaks; csv puts them in quotes; json quotes; xml escapes. text if left out."`
	Values       map[string]string `yaml:"values" doc:"Constants for the template, as ._values.name: sender, sales organisation."`
	Charset      string            `yaml:"charset" enum:"utf-8,windows-1252,iso-8859-1,iso-8859-15,cp850,cp865,us-ascii" doc:"The file's characters; a record with others is parked. utf-8 if left out."`
	LineEnd      string            `yaml:"line_end" enum:"lf,crlf" doc:"How lines end: lf (the default), or crlf as in Windows."`
	Acknowledge  Acknowledge       `yaml:"acknowledge" doc:"How the other system shows that it has taken a file."`
	Update       string            `yaml:"update" enum:"fault,ignore,file" doc:"What happens when a record changes after its file was written: fault parks it and tells people (the default), ignore, or file writes another one (name must have ._attempt in it)."`
	Removed      string            `yaml:"removed" enum:"ignore,fault" doc:"What happens when a record is removed after its file was written: ignore (the default), or fault, which tells people."`
}

// Acknowledge says how a taken file is known.
type Acknowledge struct {
	By           string        `yaml:"by" enum:"none,removed,renamed,moved,status" doc:"none: nobody says it (the default); removed: the file is gone; renamed: it has 'suffix' instead of its extension, or after it; moved: it lies in 'dir'; status: a file with 'suffix' lies beside it."`
	Suffix       string        `yaml:"suffix" doc:"For renamed (.bak if left out) and status (.ok if left out)."`
	Dir          string        `yaml:"dir" doc:"For moved: the folder of taken files."`
	FailedSuffix string        `yaml:"failed_suffix" doc:"A file beside it with this suffix says that it was refused, and its text says why: .err. With by: status it is .err if left out."`
	FailedDir    string        `yaml:"failed_dir" doc:"A file that was moved to this folder was refused."`
	Within       time.Duration `yaml:"within" doc:"A file that was not taken for so long is an incident; 15m if left out."`
	Poll         time.Duration `yaml:"poll" doc:"How often it is looked; 2s if left out."`
}

// The words of the configuration.
const (
	updateFault, updateIgnore, updateFile                  = "fault", "ignore", "file"
	byNone, byRemoved, byRenamed, byMoved, byStatus        = "none", "removed", "renamed", "moved", "status"
	removedFault                                           = "fault"
	crlf                                                   = "crlf"
	defaultWithin, defaultPoll                             = 15 * time.Minute, 2 * time.Second
	attemptName, charsetName, valuesName, attemptReference = "_attempt", "_charset", "_values", "._attempt"
)

var formats = map[string]render.Format{
	"": render.FormatText, "text": render.FormatText, "edi": render.FormatEDI, "csv": render.FormatCSV, "json": render.FormatJSON, "xml": render.FormatXML,
}

// withDefaults fills in what may be left out.
func (t TableConfig) withDefaults() TableConfig {
	a := &t.Acknowledge
	if t.Update == "" {
		t.Update = updateFault
	}
	if a.By == "" {
		a.By = byNone
	}
	switch {
	case a.By == byRenamed && a.Suffix == "":
		a.Suffix = ".bak"
	case a.By == byStatus && a.Suffix == "":
		a.Suffix = ".ok"
	}
	if a.By == byStatus && a.FailedSuffix == "" {
		a.FailedSuffix = ".err"
	}
	if a.Within <= 0 {
		a.Within = defaultWithin
	}
	if a.Poll <= 0 {
		a.Poll = defaultPoll
	}
	return t
}

// Validate returns every fault in the section that can be seen without looking at folders. Where is "files.tables.order".
func (c *Config) Validate() fault.List {
	var l fault.List
	views := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(c.Tables)) {
		t := c.Tables[name]
		where := "files.tables." + name
		bad := func(key, what, fix string) {
			l.Add(&fault.Fault{Class: fault.Config, Where: where + key, What: what, Fix: fix})
		}
		if t.From == "" || strings.Contains(t.From, ".") {
			bad(".from", fmt.Sprintf("%q is no view", t.From), "write the name of a view; its lists are in the template's hands")
		}
		if other := views[t.From]; other != "" {
			bad(".from", fmt.Sprintf("%s takes the view %s already, and what was delivered is known by record", other, t.From), "write it into another sink")
		}
		views[t.From] = name
		t.validate(bad)
		l = append(l, t.checkTemplates(where)...)
	}
	return l
}

func (t TableConfig) validate(bad func(key, what, fix string)) {
	switch {
	case t.Template == "" && t.TemplateFile == "":
		bad("", "there is no template", "write template: with one of "+strings.Join(builtInNames(), ", ")+", or template_file: with a file of your own")
	case t.Template != "" && t.TemplateFile != "":
		bad(".template_file", "there is a template already", "write template or template_file")
	case t.Template != "" && builtIns[t.Template].text == "":
		bad(".template", fmt.Sprintf("there is no template %q", t.Template), "write one of "+strings.Join(builtInNames(), ", "))
	case t.Template != "" && t.Format != "":
		bad(".format", "the template "+t.Template+" has a format already", "leave it out")
	}
	if t.Update == updateFile && !strings.Contains(t.Name, attemptReference) {
		bad(".name", "the second file of a changed record would have the name of the first", "write {{._attempt}} into it, or another 'update'")
	}
	a := t.Acknowledge
	if a.By == byMoved && a.Dir == "" {
		bad(".acknowledge.dir", "nobody knows where taken files lie", "name the folder")
	}
	if a.Dir != "" && a.By != byMoved {
		bad(".acknowledge.dir", "has no effect without by: moved", "write by: moved, or leave it out")
	}
	if a.Suffix != "" && a.By != byRenamed && a.By != byStatus {
		bad(".acknowledge.suffix", "has no effect without by: renamed or by: status", "leave it out")
	}
	if (a.FailedDir != "" || a.FailedSuffix != "") && (a.By == "" || a.By == byNone) {
		bad(".acknowledge", "refused files are looked for only where taken ones are", "write how a taken file is known: by")
	}
}

// Views names the views, each once, sorted.
func (c *Config) Views() []string {
	var v []string
	for _, t := range c.Tables {
		if !slices.Contains(v, t.From) {
			v = append(v, t.From)
		}
	}
	slices.Sort(v)
	return v
}
