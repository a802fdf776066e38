package postgres

import (
	"context"

	"github.com/jackc/pgx/v5/pgconn"
)

// barrier is the position as of which some tables are read whole while a stream is under way. A temporary slot, made after the
// tables were published, gives the position and its snapshot. The stream is read up to it, without those tables; then comes
// the snapshot; then the stream goes on with them. So there is neither a gap nor an overlap.
type barrier struct {
	slot   newSlot
	tables map[string]bool
	list   []string
	conn   *pgconn.PgConn // holds the snapshot: it must do nothing else
}

func (s *Source) openBarrier(ctx context.Context, tables []string) (*barrier, error) {
	conn, err := s.connectReplication(ctx)
	if err != nil {
		return nil, err
	}
	slot, err := s.createSlot(ctx, conn, s.temporarySlot(), true)
	if err != nil {
		closeReplication(conn)
		return nil, err
	}
	b := &barrier{slot: slot, tables: map[string]bool{}, list: tables, conn: conn}
	for _, t := range tables {
		b.tables[t] = true
	}
	return b, nil
}

// close frees the temporary slot. Closing twice does nothing.
func (b *barrier) close() { closeReplication(b.conn) }

// cross reads the tables. Everything that was committed up to the barrier has been pushed, nothing later has.
func (st *stream) cross(ctx context.Context) error {
	b := st.barrier
	if err := st.s.snapshot(ctx, st.log, b.slot, b.list); err != nil {
		return err
	}
	st.barrier = nil
	st.watchAll()
	st.last = max(st.last, b.slot.at)
	b.close()
	return nil
}
