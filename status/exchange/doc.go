// Package exchange keeps the record of the last communications with each outside system: what went over a link, when, how long it took, and how it ended.
package exchange
