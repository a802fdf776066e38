// Package roster tells every process of a pipeline which others there are, and how their stages do.
//
// Each process writes one record about itself (its key is its name): when something changed, and every few seconds in any case, so that silence is news. At a clean
// end it takes the record away. What is left of a process that was killed stays until nobody wants to know any more (Config.Forget).
package roster
