// Package tabletest is the suite that every dialect of sink/table passes against a real server of its own.
//
// A connector's integration tests make a Kit, which is what differs between the servers, and call the suite's functions: Contract, Ownership, Swaps and so on, each from a
// test of its name. To add a dialect: write a Kit, call them all, and test beside them only what no other server has.
//
// Statements and the answers that are wanted are written once. Where servers say a thing in different words, {word} stands for it, and Kit.Words has the word; see Words.
package tabletest
