package mysql

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	gomysql "github.com/go-mysql-org/go-mysql/mysql"
	guid "github.com/google/uuid"

	"shelfstream/capture"
)

// flavor tells the two families of servers apart, whose logs differ.
type flavor string

// The flavours, in go-mysql's words.
const (
	mariaDB flavor = gomysql.MariaDBFlavor
	mySQL   flavor = gomysql.MySQLFlavor
)

// position is a place between two transactions of a server's binlog: by the GTIDs of all transactions before it, which mean the same on every server of a
// replication topology, or, where MySQL runs without GTIDs, by file and offset, which mean something on one server only. The zero position is none.
//
// With GTIDs, file is the one that was read last, without an offset: by it a log that was made anew is known, whose GTIDs begin again.
type position struct {
	maria []mariaGTID           // by domain; MariaDB's notation: the last transaction of each domain
	mysql *gomysql.MysqlGTIDSet // every transaction
	kind  positionKind
	file  filePosition
}

type positionKind byte

const (
	noPosition positionKind = iota
	byMariaGTID
	byMySQLGTID
	byFile
)

// mariaGTID is one transaction of MariaDB: "domain-server-sequence".
type mariaGTID struct {
	domain, server uint32
	sequence       uint64
}

func (g mariaGTID) appendText(dst []byte) []byte {
	dst = strconv.AppendUint(dst, uint64(g.domain), 10)
	dst = strconv.AppendUint(append(dst, '-'), uint64(g.server), 10)
	return strconv.AppendUint(append(dst, '-'), g.sequence, 10)
}

// filePosition is an offset in a binlog file. created is when the file was begun, in seconds since the epoch, 0 if not known: a file of the same name that was made
// after RESET MASTER has another.
type filePosition struct {
	name    string
	offset  uint64
	created uint32
}

// emptySet is the text of a position before the first transaction of a history.
const emptySet = "empty"

// errTagged is a GTID with a tag (MySQL 8.3), of which go-mysql knows nothing.
var errTagged = errors.New("a GTID with a tag")

// tagged says whether a set of MySQL has "uuid:tag:1-3" in it.
func tagged(set string) bool {
	for part := range strings.FieldsFuncSeq(set, func(r rune) bool { return r == ':' || r == ',' || r == '\n' || r == ' ' }) {
		if c := part[0]; guid.Validate(part) != nil && (c < '0' || c > '9') {
			return true
		}
	}
	return false
}

// parseGTIDs reads a server's notation of a set: gtid_binlog_pos of MariaDB, gtid_executed of MySQL.
func parseGTIDs(f flavor, text string) (position, error) {
	text = strings.TrimSpace(text)
	if text == emptySet {
		text = ""
	}
	if f == mySQL {
		if tagged(text) {
			return position{}, fmt.Errorf("read the GTID set %q: %w", text, errTagged)
		}
		set, err := gomysql.ParseMysqlGTIDSet(strings.ReplaceAll(text, "\n", ""))
		if err != nil {
			return position{}, fmt.Errorf("read the GTID set %q: %w", text, err)
		}
		return position{kind: byMySQLGTID, mysql: set.(*gomysql.MysqlGTIDSet)}, nil
	}
	p := position{kind: byMariaGTID}
	if text == "" {
		return p, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		g, err := parseMariaGTID(strings.TrimSpace(part))
		if err != nil {
			return position{}, err
		}
		p.add(g)
	}
	return p, nil
}

func parseMariaGTID(text string) (g mariaGTID, err error) {
	f := strings.Split(text, "-")
	if len(f) != 3 {
		return g, fmt.Errorf("read the GTID %q: it is not domain-server-sequence", text)
	}
	var n [3]uint64
	for i := range f {
		bits := 32
		if i == 2 {
			bits = 64
		}
		if n[i], err = strconv.ParseUint(f[i], 10, bits); err != nil {
			return g, fmt.Errorf("read the GTID %q: %w", text, err)
		}
	}
	return mariaGTID{uint32(n[0]), uint32(n[1]), n[2]}, nil
}

// atFile is a position by file and offset.
func atFile(name string, offset uint64) position {
	return position{kind: byFile, file: filePosition{name: name, offset: offset}}
}

// parsePosition reads what String writes; f is the flavour of the server that made it.
func parsePosition(f flavor, p capture.Position) (position, error) {
	text := string(p)
	set, file, _ := strings.Cut(text, " ")
	// A GTID set of MySQL has colons too, but its first part is a UUID.
	if name, rest, ok := strings.Cut(set, ":"); ok && guid.Validate(name) != nil {
		offset, created, _ := strings.Cut(rest, "@")
		o, err := strconv.ParseUint(offset, 10, 64)
		if err != nil {
			return position{}, fmt.Errorf("read the position %q: %w", text, err)
		}
		pos := atFile(name, o)
		pos.file.created, err = parseCreated(created)
		return pos, err
	}
	pos, err := parseGTIDs(f, set)
	if err != nil {
		return pos, err
	}
	name, created, _ := strings.Cut(file, "@")
	pos.file.name = name
	pos.file.created, err = parseCreated(created)
	return pos, err
}

func parseCreated(text string) (uint32, error) {
	if text == "" {
		return 0, nil
	}
	c, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("read when a file was begun: %w", err)
	}
	return uint32(c), nil
}

// String is "0-7-123,1-8-5 binlog.000003@1763790000" (MariaDB), a GTID set and a file (MySQL), or "binlog.000003:1234@1763790000" (file, offset, when the file was
// begun). A set without transactions is "empty".
func (p position) String() string {
	b := make([]byte, 0, 64)
	switch p.kind {
	case byMariaGTID:
		for i, g := range p.maria {
			if i > 0 {
				b = append(b, ',')
			}
			b = g.appendText(b)
		}
	case byMySQLGTID:
		b = append(b, p.mysql.String()...)
	case byFile, noPosition:
	}
	if len(b) == 0 && p.kind != byFile && p.kind != noPosition {
		b = append(b, emptySet...)
	}
	if p.kind != byFile && p.file.name != "" {
		b = append(b, ' ')
	}
	b = append(b, p.file.name...)
	if p.kind == byFile {
		b = strconv.AppendUint(append(b, ':'), p.file.offset, 10)
	}
	if p.file.created != 0 {
		b = strconv.AppendUint(append(b, '@'), uint64(p.file.created), 10)
	}
	return string(b)
}

// text is the position as the log takes it.
func (p position) text() capture.Position { return capture.Position(p.String()) }

// add moves the position behind a transaction of MariaDB.
func (p *position) add(g mariaGTID) {
	i, found := slices.BinarySearchFunc(p.maria, g.domain, func(a mariaGTID, d uint32) int { return cmp.Compare(a.domain, d) })
	if found {
		p.maria[i] = g
		return
	}
	p.maria = slices.Insert(p.maria, i, g)
}

// clone is a copy that moves by itself.
func (p position) clone() position {
	p.maria = slices.Clone(p.maria)
	if p.mysql != nil {
		p.mysql = p.mysql.Clone().(*gomysql.MysqlGTIDSet)
	}
	return p
}

// covers says whether every transaction before other is before p too. Both are of one server's log, or of one topology's. Within a domain
// of MariaDB, sequences only grow.
func (p position) covers(other position) bool {
	if p.kind != other.kind {
		return false
	}
	switch p.kind {
	case byMariaGTID:
		for _, o := range other.maria {
			if i := slices.IndexFunc(p.maria, func(g mariaGTID) bool { return g.domain == o.domain }); i < 0 || p.maria[i].sequence < o.sequence {
				return false
			}
		}
		return true
	case byMySQLGTID:
		return p.mysql.Contain(other.mysql)
	case byFile:
		return compareFiles(p.file, other.file) >= 0
	case noPosition:
	}
	return false
}

// compareFiles orders places of one server's log. The server counts its files up, with more digits when six are used up.
func compareFiles(a, b filePosition) int {
	return cmp.Or(cmp.Compare(fileNumber(a.name), fileNumber(b.name)), cmp.Compare(a.offset, b.offset))
}

func fileNumber(name string) uint64 {
	n, err := strconv.ParseUint(name[strings.LastIndexByte(name, '.')+1:], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// baseName is a file's name without its number.
func baseName(name string) string { return name[:strings.LastIndexByte(name, '.')+1] }
