package mysql

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
)

// consistent is a set of connections that all see the database as of one place in its binlog.
type consistent struct {
	lanes []*wire
	file  string
	at    uint64
	// gtids is gtid_binlog_pos as of the place (MariaDB) or gtid_executed (MySQL, "" where it runs without GTIDs).
	gtids string
	nowUS int64 // the server's clock
	// locked says for how long others could not write; 0 if they always could.
	locked time.Duration
}

func (s *consistent) close() error {
	var errs []error
	for _, w := range s.lanes {
		errs = append(errs, w.close())
	}
	return errors.Join(errs...)
}

// optimism is how often MariaDB is asked for one place on all connections without a lock, before it is locked.
const optimism = 3

// openConsistent begins a transaction on n connections that all see the database as of one exact place in its binlog, and takes a metadata lock on the
// tables, as any SELECT does, so that nobody can alter them until the connections are closed.
//
// MariaDB tells each connection the place of its snapshot; if all of them tell the same one, and nothing was written until the tables were locked, no
// global lock was needed. Else, and always on MySQL, FLUSH TABLES WITH READ LOCK holds all writers up until the transactions have begun. A user of MariaDB without
// the privilege for that reads with one connection.
func (c *Config) openConsistent(ctx context.Context, maria bool, n int, tables []string) (*consistent, error) {
	s := &consistent{lanes: make([]*wire, n)}
	g, gctx := errgroup.WithContext(ctx)
	for i := range s.lanes {
		g.Go(func() (err error) {
			s.lanes[i], err = c.dial(gctx, maria)
			return err
		})
	}
	err := g.Wait()
	if err != nil {
		for _, w := range s.lanes {
			if w != nil {
				err = errors.Join(err, w.close())
			}
		}
		return nil, err
	}
	stops := make([]func() bool, n)
	for i, w := range s.lanes {
		stops[i] = w.interruptOn(ctx)
	}
	err = s.begin(ctx, c, maria, tables)
	for _, stop := range stops {
		stop()
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *consistent) begin(ctx context.Context, c *Config, maria bool, tables []string) error {
	if err := s.lanes[0].query("SELECT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)", func(cells [][]byte) (err error) {
		s.nowUS, err = strconv.ParseInt(string(cells[0]), 10, 64)
		return err
	}); err != nil {
		return fmt.Errorf("read the server's clock: %w", err)
	}
	if maria {
		for range optimism {
			if done, err := s.unlocked(tables, false); done || err != nil {
				return err
			}
		}
	}
	err := s.underLock(ctx, c, maria, tables)
	if maria && errorCode(err) == codeSpecificDenied {
		// Without the lock only one connection can know its place.
		for _, w := range s.lanes[1:] {
			if err := w.close(); err != nil {
				return fmt.Errorf("close a lane: %w", err)
			}
		}
		s.lanes = s.lanes[:1]
		_, err = s.unlocked(tables, true)
	}
	return err
}

const beginSQL = "START TRANSACTION WITH CONSISTENT SNAPSHOT"

// unlocked begins the transactions without a lock; done is false where they came to stand at different places.
func (s *consistent) unlocked(tables []string, written bool) (done bool, err error) {
	s.file = ""
	for _, w := range s.lanes {
		if err := w.exec(beginSQL); err != nil {
			return false, fmt.Errorf("begin a snapshot: %w", err)
		}
		file, at, err := snapshotPlace(w)
		if err != nil {
			return false, err
		}
		if s.file == "" {
			s.file, s.at = file, at
		}
		if file != s.file || at != s.at {
			return false, nil
		}
	}
	if err := touch(s.lanes[0], tables); err != nil {
		return false, err
	}
	if file, at, _, err := place(s.lanes[0], true); err != nil || !written && (file != s.file || at != s.at) {
		return false, err
	}
	err = s.lanes[0].query(fmt.Sprintf("SELECT BINLOG_GTID_POS('%s', %d)", s.file, s.at), func(cells [][]byte) error {
		s.gtids = string(cells[0])
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("read the GTIDs of the snapshot: %w", err)
	}
	return true, nil
}

// snapshotPlace is the place that MariaDB gives to a transaction with a consistent snapshot.
func snapshotPlace(w *wire) (file string, at uint64, err error) {
	err = w.query("SHOW STATUS LIKE 'binlog_snapshot_%'", func(cells [][]byte) (err error) {
		switch string(cells[0]) {
		case "Binlog_snapshot_file":
			file = string(cells[1])
		case "Binlog_snapshot_position":
			at, err = strconv.ParseUint(string(cells[1]), 10, 64)
		}
		return err
	})
	if err == nil && file == "" {
		err = errors.New("the server does not tell it (is log_bin set?)")
	}
	if err != nil {
		return "", 0, fmt.Errorf("read the snapshot's place in the log: %w", err)
	}
	return file, at, nil
}

// place is where the log ends.
func place(w *wire, maria bool) (file string, at uint64, gtids string, err error) {
	row := func(cells [][]byte) (err error) {
		if len(cells) < 2 {
			return errors.New("a place without an offset")
		}
		if len(cells) > 4 {
			gtids = string(cells[4])
		}
		file = string(cells[0])
		at, err = strconv.ParseUint(string(cells[1]), 10, 64)
		return err
	}
	err = w.query("SHOW MASTER STATUS", row)
	if !maria && errorCode(err) != 0 && errorCode(err) != codeSpecificDenied { // MySQL 8.4 knows only the new word
		err = w.query("SHOW BINARY LOG STATUS", row)
	}
	if err == nil && maria {
		err = w.query("SELECT @@GLOBAL.gtid_binlog_pos", func(cells [][]byte) error { gtids = string(cells[0]); return nil })
	}
	if err == nil && file == "" {
		err = errors.New("the server writes no binary log")
	}
	if err != nil {
		return "", 0, "", fmt.Errorf("read the end of the log: %w", err)
	}
	return file, at, gtids, nil
}

// touch takes a metadata lock on the tables.
func touch(w *wire, tables []string) error {
	for _, t := range tables {
		if err := w.exec("SELECT 1 FROM " + t + " LIMIT 0"); err != nil {
			return fmt.Errorf("lock the table %s against changes of its definition: %w", t, err)
		}
	}
	return nil
}

// underLock begins the transactions while nobody can write. A connection of its own holds the lock, as START TRANSACTION would end it.
func (s *consistent) underLock(ctx context.Context, c *Config, maria bool, tables []string) (err error) {
	w, err := c.dial(ctx, maria)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }() // which ends the lock whatever happens
	defer w.interruptOn(ctx)()
	if err := w.exec("FLUSH TABLES WITH READ LOCK"); err != nil {
		return fmt.Errorf("hold the writers up for the begin of a snapshot: %w", err)
	}
	began := time.Now()
	var g errgroup.Group
	for _, lane := range s.lanes {
		g.Go(func() error { return lane.exec(beginSQL) })
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("begin a snapshot: %w", err)
	}
	if s.file, s.at, s.gtids, err = place(w, maria); err != nil {
		return err
	}
	if err := touch(s.lanes[0], tables); err != nil {
		return err
	}
	if err := w.exec("UNLOCK TABLES"); err != nil {
		return fmt.Errorf("let the writers go on: %w", err)
	}
	s.locked = time.Since(began)
	return nil
}
