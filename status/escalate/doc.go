// Package escalate decides who is told of an incident, when, and over which channels. It is a function of the policies, the clock and what was done so far; it sends nothing itself.
package escalate
