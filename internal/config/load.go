package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/spf13/pflag"
)

const (
	envPrefix   = "WORMLOG_"
	envConfig   = envPrefix + "CONFIG" // names the file, as --config
	devPrefix   = envPrefix + "DEV_"   // wormlog-dev's own
	defaultFile = "wormlog.yaml"
)

// Given is a setting's value as somebody wrote it, and where.
type Given struct {
	Value string
	From  string // FromDefault, wormlog.yaml:3, WORMLOG_BUCKET, --bucket
}

// FromDefault is where a value is from that nobody gave.
const FromDefault = "default"

// Loaded is the configuration in force and where each setting of it comes from.
type Loaded struct {
	Config
	File  string           // that was read; empty if there was none
	given map[string]Given // by setting
}

// Given returns what was given for the setting of this name; the default, if nothing was.
func (l *Loaded) Given(name string) Given { return l.given[name] }

// Load puts the sources together: flags over environment over file over defaults. It refuses names that are no setting, and
// what is not right is an error of one sentence that names the setting and where it was given. An empty file stands for
// what WORMLOG_CONFIG names, or else wormlog.yaml if it is there; environ is as [os.Environ] has it.
func Load(file string, environ []string, flags *pflag.FlagSet) (*Loaded, error) {
	l := defaults()
	if err := l.readFile(file, environ); err != nil {
		return nil, err
	}
	if err := l.readEnviron(environ); err != nil {
		return nil, err
	}
	for _, s := range settings {
		if f := flags.Lookup(s.flag()); f != nil && f.Changed {
			l.given[s.Name] = Given{f.Value.String(), "--" + s.flag()}
		}
	}
	return l, l.judge()
}

// FromEnvironment is [Load] for programs that have neither a file nor flags, such as Lambda functions. WORMLOG_CONFIG is
// an error here, as what it names would not be read.
func FromEnvironment(environ []string) (*Loaded, error) {
	l := defaults()
	for _, v := range environ {
		if path, ok := strings.CutPrefix(v, envConfig+"="); ok && path != "" {
			return nil, errors.New("the environment variable " + envConfig + " names a file, and this program reads none; set each setting as WORMLOG_ and its name in capitals")
		}
	}
	if err := l.readEnviron(environ); err != nil {
		return nil, err
	}
	return l, l.judge()
}

func defaults() *Loaded {
	l := &Loaded{given: map[string]Given{}}
	for _, s := range settings {
		l.given[s.Name] = Given{s.Default, FromDefault}
	}
	return l
}

// judge turns what was given into the configuration.
func (l *Loaded) judge() error {
	for _, s := range settings {
		g := l.given[s.Name]
		if err := s.set(&l.Config, g.Value); err != nil {
			return fmt.Errorf("%s (from %s) is not right: %w", s.Name, g.From, err)
		}
	}
	return l.check()
}

func (l *Loaded) readEnviron(environ []string) error {
	for _, v := range environ {
		name, value, _ := strings.Cut(v, "=")
		if !strings.HasPrefix(name, envPrefix) || strings.HasPrefix(name, devPrefix) || name == envConfig {
			continue
		}
		setting := strings.ToLower(strings.TrimPrefix(name, envPrefix))
		if err := known(setting, name, "the environment variable "); err != nil {
			return err
		}
		l.given[setting] = Given{value, name}
	}
	return nil
}

// readFile reads the YAML file: a flat mapping. Values are taken as they are written, so that 1.10 stays 1.10.
func (l *Loaded) readFile(file string, environ []string) error {
	wanted := file != ""
	if !wanted {
		file = defaultFile
		for _, v := range environ {
			if path, ok := strings.CutPrefix(v, envConfig+"="); ok && path != "" {
				file, wanted = path, true
			}
		}
	}
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) && !wanted {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot read the configuration: %w", err)
	}
	l.File = file
	parsed, err := parser.ParseBytes(b, 0)
	if err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		return fmt.Errorf("%s is not YAML as it must be: %s", file, first)
	}
	for _, doc := range parsed.Docs {
		if err := l.readMapping(file, doc.Body); err != nil {
			return err
		}
	}
	return nil
}

func (l *Loaded) readMapping(file string, body ast.Node) error {
	var values []*ast.MappingValueNode
	switch n := body.(type) {
	case nil, *ast.NullNode, *ast.CommentGroupNode:
		return nil
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		return fmt.Errorf("%s is not a list of settings: write lines like bucket: acme-audit", file)
	}
	for _, v := range values {
		name := v.Key.GetToken().Value
		at := fmt.Sprintf("%s:%d", file, v.Key.GetToken().Position.Line)
		if err := known(name, name, at+": "); err != nil {
			return err
		}
		if _, ok := v.Value.(ast.ScalarNode); !ok || v.Value.Type() == ast.NullType {
			return fmt.Errorf("%s: %s has no single value; write a text or a number, or leave the line out", at, name)
		}
		l.given[name] = Given{v.Value.GetToken().Value, at}
	}
	return nil
}

// known says whether there is a setting of this name, and otherwise which may have been meant.
func known(name, shown, before string) error {
	if slices.ContainsFunc(settings, func(s Setting) bool { return s.Name == name }) {
		return nil
	}
	if why, ok := later[name]; ok {
		return fmt.Errorf("%s%s: %s", before, shown, why)
	}
	err := fmt.Errorf("%s%s is not a setting of wormlog", before, shown)
	if near := nearest(name); near != "" {
		return fmt.Errorf("%w; did you mean %s? `wormlog config` lists all of them", err, near)
	}
	return fmt.Errorf("%w; `wormlog config` lists all of them", err)
}

func nearest(name string) string {
	best, distance := "", 4
	for _, s := range settings {
		if d := editDistance(name, s.Name); d < distance {
			best, distance = s.Name, d
		}
	}
	return best
}

// editDistance is Levenshtein's.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// check looks at what single settings cannot see.
func (l *Loaded) check() error {
	local := l.Endpoint != "" && Loopback(l.Endpoint)
	if !l.EnforceWORM && !local {
		return fmt.Errorf("enforce_worm: false (from %s) is for loopback endpoints only: without Object Lock nothing here is evidence", l.given["enforce_worm"].From)
	}
	if l.TLSRequired == "false" && !local {
		return fmt.Errorf("tls_required: false (from %s) is for loopback endpoints only", l.given["tls_required"].From)
	}
	if l.TLSRequired == "true" && (strings.HasPrefix(l.Endpoint, "http:") || strings.HasPrefix(l.SecretsEndpoint, "http:")) {
		return fmt.Errorf("tls_required: true (from %s), but the endpoint is plain http", l.given["tls_required"].From)
	}
	if l.SigningKeyEnv != "" && !local {
		return fmt.Errorf("signing_key_env (from %s) is for loopback endpoints only: use signing_secret", l.given["signing_key_env"].From)
	}
	return nil
}

// AddFlags gives a command the flags of these groups.
func AddFlags(flags *pflag.FlagSet, groups ...Group) {
	for _, s := range settings {
		if slices.Contains(groups, s.Group) {
			AddFlag(flags, s.Name)
		}
	}
}

// AddFlag gives a command the flag of one setting.
func AddFlag(flags *pflag.FlagSet, name string) {
	s := settings[slices.IndexFunc(settings, func(s Setting) bool { return s.Name == name })]
	flags.Var(&rawValue{value: s.Default}, s.flag(), s.Help)
	if s.Default == "true" || s.Default == "false" {
		flags.Lookup(s.flag()).NoOptDefVal = "true"
	}
}

// rawValue is a flag's value as it was written; load judges it together with the other sources.
type rawValue struct{ value string }

func (v *rawValue) String() string     { return v.value }
func (v *rawValue) Set(s string) error { v.value = s; return nil }
func (v *rawValue) Type() string       { return "value" }
