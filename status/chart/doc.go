// Package chart keeps short histories of numbers in memory, and draws them as SVG that scales to any width, in light and dark, without a script. Lines differ by
// their dashes as well as by their colours, and every chart says its newest values in words.
package chart
