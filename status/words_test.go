package status

import "testing"

// TestAbout: a line says once where something is.
func TestAbout(t *testing.T) {
	for _, c := range []struct{ link, what, want string }{
		{"sink shop", "the disk is full", "sink shop: the disk is full"},
		{"sink shop", "MySQL of sink shop does not answer", "MySQL of sink shop does not answer"},
		{"log", "the login is refused", "log: the login is refused"},
		{"", "the disk is full", "the disk is full"},
	} {
		if got := About(c.link, c.what); got != c.want {
			t.Errorf("%q, %q: %q, want %q", c.link, c.what, got, c.want)
		}
	}
}
