//go:build integration

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"shelfstream/internal/testenv"
)

// The section "disk" names a directory of the pipeline that lies on a small disk, which only its process sees. Prompts:
//
//	disk>  fill or clear it, up to 1 MiB; "protect" mounts it read-only and "open" for writing again; "lose" is a network's file system over it whose server ends, "mount" has it back
//	room>  "make erp" or "make shop": a small disk on which that server may keep a table, ${ROOM} in SQL; fill or clear it
func (f *faultWorld) diskPrompts() { f.say["disk"], f.say["room"] = f.disk, f.switchRoom }

const smallDisk = 64 << 20 // bytes

// unshared are the flags with which unshare gives a process mounts of its own.
func unshared() string {
	if os.Geteuid() != 0 {
		return "-Urm"
	}
	return "-m"
}

// runOnSmallDisk runs the pipeline in a process whose directory small lies on a disk of 64 MiB that only it sees.
func (f *faultWorld) runOnSmallDisk(t *testing.T) {
	t.Helper()
	small := filepath.Join(f.dir, f.small)
	if err := os.MkdirAll(small, 0o700); err != nil {
		t.Fatal(err)
	}
	var env []string
	for name, value := range f.env {
		env = append(env, name+"="+value)
	}
	p, err := (&testenv.Binary{Path: "unshare"}).Start(testenv.ProcessConfig{
		Name: "run", Env: env, Log: filepath.Join(f.dir, "run.log"),
		Args: []string{unshared(), "sh", "-c", `mount -t tmpfs -o size=64m tmpfs "$1" && exec "$2" run -config "$3"`, "sh", small, binary(t).Path, f.config()},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeServer(t, p.Kill) })
	f.process = p
}

// disk does something with the disk of the pipeline's process.
func (f *faultWorld) disk(t *testing.T, what string) string {
	t.Helper()
	dir := filepath.Join(f.dir, f.small)
	script := map[string]string{
		"protect": `mount -o remount,ro "$1"`,
		"open":    `mount -o remount,rw "$1"`,
		// What is left of a FUSE mount whose server has ended: the kernel knows the mount, and every call fails with ENOTCONN.
		"lose":  `exec 3<>/dev/fuse && mount -i -t fuse -o fd=3,rootmode=40000,user_id=$(id -u),group_id=$(id -g) lost "$1"`,
		"mount": `umount "$1"`,
	}[what]
	if script == "" {
		f.fill(t, fmt.Sprintf("/proc/%d/root%s", f.process.PID(), dir), what, 1<<20)
		return ""
	}
	args := []string{"-t", fmt.Sprint(f.process.PID()), "-m"}
	if os.Geteuid() != 0 {
		args = append(args, "-U", "--preserve-credentials")
	}
	if out, err := exec.CommandContext(t.Context(), "nsenter", append(args, "sh", "-c", script, "sh", dir)...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", what, err, out)
	}
	return ""
}

// fill fills a small disk but for some bytes, or clears it again.
func (f *faultWorld) fill(t *testing.T, dir, what string, leave int64) {
	t.Helper()
	ballast := filepath.Join(dir, "ballast")
	if what == "clear" {
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		return
	}
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		t.Fatal(err)
	}
	if total := int64(s.Blocks) * s.Bsize; total != smallDisk {
		t.Fatalf("%s has %d bytes: it is no small disk", dir, total)
	}
	if err := os.WriteFile(ballast, make([]byte, int64(s.Bavail)*s.Bsize-leave), 0o600); err != nil {
		t.Fatal(err)
	}
}

// roomAt is where the process that has the room mounts it; servers reach it through /proc, as the process runs under their account.
const roomAt = "/mnt"

func (f *faultWorld) switchRoom(t *testing.T, what string) string {
	t.Helper()
	if server, ok := strings.CutPrefix(what, "make "); ok {
		f.makeRoom(t, map[string]int{"erp": f.erpServer.PID(), "shop": f.shopServer.PID()}[server])
		return ""
	}
	f.fill(t, filepath.Dir(f.env["ROOM"]), what, 0)
	return ""
}

// makeRoom starts a process that has a small disk with a folder for the server.
func (f *faultWorld) makeRoom(t *testing.T, server int) {
	t.Helper()
	var of syscall.Stat_t
	if err := syscall.Stat(fmt.Sprintf("/proc/%d", server), &of); err != nil {
		t.Fatal(err)
	}
	rest := `exec sleep infinity`
	if os.Geteuid() == 0 {
		rest = fmt.Sprintf(`chown %d:%d "$1/table" && exec setpriv --reuid %[1]d --regid %[2]d --clear-groups sleep infinity`, of.Uid, of.Gid)
	}
	p, err := (&testenv.Binary{Path: "unshare"}).Start(testenv.ProcessConfig{
		Name: "room", Log: filepath.Join(f.dir, "room.log"),
		Args: []string{unshared(), "sh", "-c", `mount -t tmpfs -o size=64m,mode=755 tmpfs "$1" && mkdir "$1/table" && ` + rest, "sh", roomAt},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeServer(t, p.Kill) })
	f.room = p
	f.env["ROOM"] = fmt.Sprintf("/proc/%d/root%s/table", p.PID(), roomAt)
	err = testenv.WaitFor(t.Context(), "the room", func() (bool, error) {
		name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", p.PID()))
		return strings.TrimSpace(string(name)) == "sleep", err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// onRoom puts the room's folder into SQL.
func (f *faultWorld) onRoom(statements string) string {
	return strings.ReplaceAll(statements, "${ROOM}", f.env["ROOM"])
}
