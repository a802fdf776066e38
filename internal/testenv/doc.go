// Package testenv starts the real servers that Shelfstream works with, from the binaries installed on the machine, in a
// directory of their own: PostgreSQL, MariaDB or MySQL, Apache Kafka; and it finds the Python that tests read with as a foreign client.
// Integration tests, the demo and the benchmarks use it.
//
// A server is ready when Start returns: it has answered a real request. Every server listens on 127.0.0.1 only, on a port
// that stays the same over Kill and Restart, and dies with the process that started it (on Linux by the kernel's parent-death
// signal), so that a test that panics leaves nothing behind. What is not installed is a *fault.Fault of class
// Environment that names the command to install it; nothing here skips a test.
//
// The usual shape in an integration test is one server per package in TestMain and one database per test:
//
//	func TestMain(m *testing.M) { os.Exit(run(m)) }
//
//	func run(m *testing.M) int {
//		pg, err := testenv.StartPostgres(context.Background(), "")
//		if err != nil {
//			fmt.Fprintln(os.Stderr, err)
//			return 1
//		}
//		defer pg.Close()
//		return m.Run()
//	}
package testenv
