// Package mysql is the source for MySQL 8 and MariaDB 10.6 and newer.
package mysql
