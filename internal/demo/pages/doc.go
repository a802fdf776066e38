// Package pages is what stands beside the demo's pipeline for people to look at and to play with: a small wine shop that reads the MariaDB tables that the
// sink writes, and an ERP form that changes PostgreSQL and shows how long it took until the shop had it.
//
// Both are rendered here, from templates in the binary, and work without a script; with one, what is open in the browser follows what happens
// (one stream of server-sent events a page). Neither knows Shelfstream: they see the two databases and nothing of the pipeline between them.
package pages
