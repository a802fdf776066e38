// Package demo is a wine merchant to play with: an ERP in PostgreSQL with seeded products, a clerk who keeps changing things, the
// pipeline and its rules, and a direct SQL query over the ERP that says what the shop must hold. `shelfstream demo`, the integration tests and the
// benchmarks stand on it.
package demo
