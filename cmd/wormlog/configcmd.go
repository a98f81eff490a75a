package main

import (
	"github.com/spf13/cobra"

	"github.com/wormlog/wormlog/internal/config"
)

func (a *app) configCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "Print what settings are in force, and where each comes from",
		Long: "Print every setting with its value and its source: a flag, an environment variable, the configuration file or the\n" +
			"default. In the file they have the names printed here, as variables WORMLOG_ and the name in capitals, as flags the\n" +
			"name with '-' for '_'. No secret is a setting: settings only name where secrets are.",
		Example: "  wormlog config\n  WORMLOG_BUCKET=acme-audit wormlog config --json",
		Args:    cobra.NoArgs,
	}
	config.AddFlags(c.Flags(), config.GroupBucket, config.GroupCopies, config.GroupKeys, config.GroupInit, config.GroupWriter, config.GroupWrite)
	c.RunE = func(c *cobra.Command, _ []string) error {
		l, err := config.Load(a.file, a.environ, c.Flags())
		if err != nil {
			return err
		}
		return a.printConfig(l)
	}
	return c
}

type settingJSON struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	From  string `json:"from"`
	Help  string `json:"help"`
}

func (a *app) printConfig(l *config.Loaded) error {
	rows := [][]string{{"SETTING", "VALUE", "FROM"}}
	var list []settingJSON
	for _, s := range config.Settings() {
		g := l.Given(s.Name)
		list = append(list, settingJSON{s.Name, g.Value, g.From, s.Help})
		value := g.Value
		if value == "" {
			value = "-"
		}
		rows = append(rows, []string{s.Name, value, g.From})
	}
	if a.json {
		return printJSON(a.stdout, map[string]any{"file": l.File, "settings": list})
	}
	return printTable(a.stdout, rows)
}
