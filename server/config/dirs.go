package config

import "path/filepath"

// DataDir returns the default of data_dir: clawless in the folder where the operating system (a GOOS) keeps a user's data. It is empty when the environment
// does not say where the user's folders are.
func DataDir(goos string, lookup func(string) (string, bool)) string {
	return userDir(goos, lookup, "XDG_DATA_HOME", ".local", "share")
}

// UserConfigDir returns the folder of the user's own clawless.yaml and of the profiles, under the same rules as DataDir.
func UserConfigDir(goos string, lookup func(string) (string, bool)) string {
	return userDir(goos, lookup, "XDG_CONFIG_HOME", ".config")
}

func userDir(goos string, lookup func(string) (string, bool), xdg string, underHome ...string) string {
	base := func(name string, rest ...string) string {
		dir, _ := lookup(name)
		if dir == "" {
			return ""
		}
		return filepath.Join(append(append([]string{dir}, rest...), "clawless")...)
	}
	switch goos {
	case "windows":
		return base("AppData")
	case "darwin":
		return base("HOME", "Library", "Application Support")
	}
	if dir, _ := lookup(xdg); filepath.IsAbs(dir) { // the XDG rules say to ignore a relative one
		return base(xdg)
	}
	return base("HOME", underHome...)
}
