// Package rest delivers records by HTTP: one call for each record, or for several at once, made from templates.
//
// The other side has no transactions with us, so what was delivered stands in a ledger (sink/ledger), and each call goes through these steps:
//
//  1. The intent is recorded, with the call's Idempotency-Key. A worker that has lost its partition cannot do that, and so delivers nothing.
//  2. The call is made. It must end within 'timeout' of its intent.
//  3. What the other side answered (the ERP's order number) is written to "<pipeline>.<sink>.answers", if the configuration names it. The topic is made at the start, and
//     tables of database sinks read it like a view's (from: <sink>.answers).
//  4. The delivery is recorded. When all records of a batch are, the partition's place moves.
//
// A crash, or an answer that got lost, leaves an intent. Whoever comes to that record next waits until the call cannot be under way any more, asks 'lookup' whether the
// record is there already, and only if it is not makes the call again, with the same Idempotency-Key. Without 'lookup' the key alone keeps the other side from
// doing it twice. What remains: a process that is stopped between the intent and the call for longer than the timeout, at a server that knows neither.
//
// A record whose payload the other side has already is not sent again. A record that it refuses is parked with its own words.
package rest
