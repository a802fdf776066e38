// Package web is the admin port: the status page, the same as JSON, metrics, health and readiness, what commands ask a running pipeline for, and
// profiling on loopback. It shows what the stages report in the words of package status.
package web
