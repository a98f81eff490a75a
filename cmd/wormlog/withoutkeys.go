package main

import "regexp"

// keyMembers are the members of secrets that hold keys, whole or cut off, also within quotes.
var keyMembers = regexp.MustCompile(`((?:entry|manifest)_key\\*":\s*\\*")[A-Za-z0-9+/]+=*|("key\\*":\s*\\*")[A-Za-z0-9+/]{43}=`)

// withoutKeys blanks the keys of a secret that somebody has put where a name belongs, as what is printed goes to logs.
func withoutKeys(line string) string { return keyMembers.ReplaceAllString(line, "${1}${2}[secret]") }
