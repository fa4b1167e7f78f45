package config

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/clawless/clawless/cmd/clawless/cli"
)

func newPath(env *cli.Env) *cobra.Command {
	return cli.Verb{
		Use:     "path",
		Short:   "Print which files are read",
		Long:    "Print which files are read: the settings file in use, the places where one is looked for, the file of\nprofiles and the default data folder. With --quiet only the settings file in use.",
		Example: "clawless config path\nclawless config path --quiet",
		Run:     func(context.Context, []string) error { return printPaths(env) },
	}.Command()
}

type paths struct {
	File     string   `json:"file"` // empty when there is none
	Places   []string `json:"places"`
	Profiles string   `json:"profiles"`
	DataDir  string   `json:"data_dir"`
}

func printPaths(env *cli.Env) error {
	world := env.World()
	file, err := world.Find()
	if err != nil {
		return cli.SettingsError(err)
	}
	profiles, err := env.ProfilesPath()
	if err != nil {
		return err
	}
	places := world.Places()
	for i, place := range places {
		if places[i], err = filepath.Abs(place); err != nil {
			return fmt.Errorf("make %s absolute: %w", place, err)
		}
	}
	p := paths{File: file, Places: places, Profiles: profiles, DataDir: world.DataDir()}
	if env.Flags.Quiet && file == "" {
		return nil
	}
	return pathsView.One(env.Printer(), p)
}

var pathsView = cli.View[paths]{
	ID: func(p paths) string { return p.File },
	Columns: []cli.Column[paths]{
		{Head: "SETTINGS", Cell: func(p paths) any { return p.File }},
		{Head: "LOOKED FOR", Cell: func(p paths) any { return p.Places }},
		{Head: "PROFILES", Cell: func(p paths) any { return p.Profiles }},
		{Head: "DEFAULT DATA", Cell: func(p paths) any { return p.DataDir }},
	},
}
