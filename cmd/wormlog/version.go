package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/wormlog/wormlog/archive"
	"github.com/wormlog/wormlog/internal/config"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version of the program and of the format it writes",
		Example: "  wormlog version --json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if a.json {
				return printJSON(a.stdout, map[string]string{"version": config.Version(), "format": archive.Format, "go": runtime.Version()})
			}
			_, err := fmt.Fprintf(a.stdout, "wormlog %s, format %s, %s\n", config.Version(), archive.Format, runtime.Version())
			return err
		},
	}
}

// software names this program in manifests.
func software() string { return "wormlog " + config.Version() }
