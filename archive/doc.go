// Package archive keeps audit logs as evidence.
package archive
