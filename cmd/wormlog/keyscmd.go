package main

import "github.com/spf13/cobra"

func (a *app) keysCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "keys",
		Short: "See the keys of a log, turn them over, and say which were stolen",
		Long:  "See the keys of a log, turn them over, and say which were stolen. docs/keys.md has the life of a key and what to do when one is lost.",
		Example: "  wormlog keys list\n  wormlog keys rotate\n" +
			"  wormlog keys affected 59e46182 --since 2026-11-20",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.keysListCommand(), a.keysCurrentCommand(), a.rotateCommand(), a.replaceCommand(), a.affectedCommand(),
		a.retireCommand(), a.compromiseCommand(), a.countersignCommand(), a.keysExportCommand())
	return c
}
