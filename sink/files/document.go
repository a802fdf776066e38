package files

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"

	"shelfstream/internal/fault"
	"shelfstream/schemas"
	"shelfstream/sink/render"
)

// document makes the files of one view.
type document struct {
	table  string // its name in the configuration
	cfg    TableConfig
	shape  *schemas.Table
	name   *render.Template
	body   *render.Template
	values map[string]any
}

var extraNames = []string{attemptName, charsetName, valuesName}

// newDocument compiles a table's templates for a shape; without one (nil) only their own form is looked at. where is its place in the configuration.
func newDocument(table string, cfg TableConfig, shape *schemas.Table, zone *time.Location, path func(string) string) (*document, error) {
	where := "files.tables." + table
	d := &document{table: table, cfg: cfg, shape: shape, values: map[string]any{}}
	text, format, key := builtIns[cfg.Template].text, builtIns[cfg.Template].format, ".template"
	if cfg.TemplateFile != "" {
		b, err := os.ReadFile(path(cfg.TemplateFile))
		if err != nil {
			return nil, fault.List{{Class: fault.Config, Where: where + ".template_file", What: "the template cannot be read", Fix: "correct its path, which starts from the configuration's folder, or its rights", Err: err}}
		}
		text, format, key = string(b), formats[cfg.Format], ".template_file"
	}
	for _, name := range builtIns[cfg.Template].values {
		d.values[name] = nil
	}
	for name, v := range cfg.Values {
		d.values[name] = v
	}
	var err, nameErr error
	d.body, err = render.Compile(render.Config{Name: where + key, Text: text, Format: format, Table: shape, Extra: extraNames, Zone: zone})
	d.name, nameErr = render.Compile(render.Config{Name: where + ".name", Text: cfg.Name, Table: shape, Extra: extraNames, Zone: zone})
	return d, append(fault.All(err), fault.All(nameErr)...).Err()
}

// checkTemplates looks at the form of the templates, as far as that needs neither files nor shapes.
func (t TableConfig) checkTemplates(where string) fault.List {
	_, err := render.Compile(render.Config{Name: where + ".name", Text: t.Name})
	return fault.All(err)
}

// file is what a record becomes.
type file struct {
	name    string
	content []byte
	hash    uint64
}

// make makes a record's file; the error says why the record cannot become one. tail is how long temporary names are beyond the name.
func (d *document) make(row []schemas.Value, attempt, tail int) (*file, *fault.Fault) {
	charset := d.cfg.Charset
	if charset == "" {
		charset = "utf-8"
	}
	rec := render.NewRecord(d.shape, row, map[string]any{attemptName: attempt, charsetName: charset, valuesName: d.values})
	name, err := d.name.Append(nil, rec)
	if err == nil {
		err = fileName(string(name), tail)
	}
	if err != nil {
		return nil, &fault.Fault{Cause: fault.FilesName, What: "its file would have no usable name: " + err.Error(), Fix: "correct the column, or the template in files.tables." + d.table + ".name"}
	}
	text, err := d.body.Append(nil, rec)
	if err != nil {
		return nil, &fault.Fault{Cause: fault.FilesTemplate, What: "the template makes no file of it: " + err.Error(), Fix: "correct the record in the shop, a rule, or the template; it is tried again within a minute"}
	}
	content, err := encode(text, d.cfg.Charset, d.cfg.LineEnd)
	if err != nil {
		return nil, &fault.Fault{Cause: fault.FilesCharset, What: err.Error(), Fix: "write the text without it, let a rule replace the character, or choose another charset if the reader knows one"}
	}
	return &file{string(name), content, xxhash.Sum64(content)}, nil
}

// longestName is what file systems take.
const longestName = 255

// fileName says what keeps a text from being a file's name, on Windows too.
func fileName(name string, tail int) error {
	bad := strings.IndexFunc(name, func(r rune) bool { return unicode.IsControl(r) || strings.ContainsRune(`/\:*?"<>|`, r) })
	switch {
	case name == "":
		return errors.New("it is empty")
	case !utf8.ValidString(name):
		return fmt.Errorf("%q is no UTF-8", name)
	case bad >= 0:
		return fmt.Errorf("%q has the character %q", name, []rune(name[bad:])[0])
	case strings.HasPrefix(name, "."), strings.HasSuffix(name, "."), strings.TrimSpace(name) != name:
		return fmt.Errorf("%q begins or ends with a point or a space", name)
	case strings.HasSuffix(name, tempEnd):
		return fmt.Errorf("%q looks like a temporary file", name)
	case len(name)+tail > longestName:
		return fmt.Errorf("%q is too long: at most %d bytes", name, longestName-tail)
	}
	return nil
}
