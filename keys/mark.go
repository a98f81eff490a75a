//go:build !markedkeys

package keys

// SeedMark is what every secret seed made here begins with: nothing. Tests are built with the tag markedkeys, so that a
// secret can be searched for in all that they leave behind; see internal/leaks.
const SeedMark = ""
