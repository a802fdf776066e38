// Package e2e holds the guarantees of the pipeline as a whole: the real program, a process for each stage, on a real PostgreSQL, a real MariaDB and the
// log that SHELFSTREAM_BROKER names, while clerks change the ERP and processes, servers and connections are taken away.
//
// Three things are asked in every test. Whoever reads the shop never sees half a transaction, and never an older state after a newer one
// (demo.Watcher). The cleaned topic, which keeps its whole history here, has neither (history). When the clerks have gone home the shop
// equals a direct SQL query over the ERP, row by row (demo.Compare).
package e2e
