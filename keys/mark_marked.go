//go:build markedkeys

package keys

// SeedMark begins every secret seed made by this build, which is for tests alone: twelve bytes that are known. In base64,
// the form in which secrets are stored, they read WORMLOGLEAKEDKEY. See internal/leaks.
const SeedMark = "\x58\xe4\x4c\x2c\xe1\x8b\x10\x02\x84\x0c\xa1\x18"
