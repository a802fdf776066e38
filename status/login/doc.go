// Package login says who asks and what they may do: users with hashed passwords, sessions, a proxy's header, and the guards against guessing and against
// other sites' forms. It knows HTTP and nothing of pages.
//
// Who may look (View): somebody logged in; whoever has this process's token, which the commands on the same machine read from a file; and everybody, where the
// configuration says so, or where there are no users and the port is open on loopback only. Who may act (Operate): users with that role, in a session,
// with the session's token in the form, from a page of this port.
//
// Sessions live in memory: after a restart, and on the port of another process, one logs in again.
package login
