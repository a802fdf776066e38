// Package status holds the words in which the stages of a pipeline report (Stage), explain a product and list what they hold back. Package web
// shows them.
//
// It is a leaf: it imports internal/fault only, so that every stage may speak its words.
package status
