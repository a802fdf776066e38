//go:build integration

package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/remote"

	"shelfstream/internal/testenv"
)

// tab is one page of a real browser, with cookies of its own.
type tab struct {
	t   *testing.T
	ctx context.Context
	// faults are what the browser complained of: scripts that threw, and what the content security policy kept out.
	faults chan string
}

// browser starts Chromium for a test. Each call of the function that it gives opens a tab that shares nothing with the others.
func browser(t *testing.T) func() *tab {
	t.Helper()
	start, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c, err := testenv.StartChromium(start, "")
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	all, end := remote.NewAllocator(context.Background(), c.DevTools(), remote.NoModifyURL)
	t.Cleanup(end)
	first, endFirst := chromedp.NewContext(all)
	t.Cleanup(endFirst)
	must(t, chromedp.Do(first))
	return func() *tab {
		t.Helper()
		b := &tab{t: t, faults: make(chan string, 100)}
		ctx, end := chromedp.NewContext(first, chromedp.WithNewBrowserContext(), chromedp.WithListener(b.hear))
		t.Cleanup(end)
		b.ctx = ctx
		must(t, chromedp.Do(ctx)) // opens it: its life is not that of one action's context
		b.look(desktop, "light")
		b.run(call(cdplog.Enable, cdp.Empty{}), call(runtime.Enable, cdp.Empty{}))
		return b
	}
}

// call is a command of the browser's protocol as an action.
func call[P, R any](command cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, command, params)
		return err
	})
}

// hear keeps what goes wrong in the page. Answers of 4xx and 5xx are what some tests ask for.
func (b *tab) hear(ev any) {
	say := ""
	switch e := ev.(type) {
	case *runtime.EventExceptionThrown:
		say = e.ExceptionDetails.Text
		if x := e.ExceptionDetails.Exception; x != nil {
			say += ": " + x.Description
		}
	case *cdplog.EventEntryAdded:
		if e.Entry.Level == cdplog.EntryLevelError && e.Entry.Source != cdplog.EntrySourceNetwork {
			say = string(e.Entry.Source) + ": " + e.Entry.Text
		}
	}
	if say != "" {
		select {
		case b.faults <- say:
		default:
		}
	}
}

// clean fails the test for everything that the browser complained of.
func (b *tab) clean() {
	b.t.Helper()
	for {
		select {
		case f := <-b.faults:
			b.t.Error("the browser complains: " + f)
		default:
			return
		}
	}
}

// size is a window's, in CSS pixels.
type size struct {
	name          string
	width, height int64
	scale         float64
	mobile        bool
}

var (
	desktop = size{"desktop", 1280, 900, 1, false}
	phone   = size{"phone", 375, 740, 2, true}
)

// look gives the tab a size and a colour scheme: light or dark.
func (b *tab) look(s size, scheme string) {
	b.t.Helper()
	b.run(
		call(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: s.width, Height: s.height, DeviceScaleFactor: s.scale, Mobile: s.mobile}),
		call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}}),
	)
}

// step is how long one action of the browser may take.
const step = time.Minute

func (b *tab) run(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, step)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatalf("%v\non %s", err, b.where())
	}
}

// evaluate gives the value of an expression; an error while the page is being loaded.
func evaluate[T any](b *tab, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(b.ctx, step)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression))
}

// js is evaluate on a page that is there.
func js[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := evaluate[T](b, expression)
	if err != nil {
		b.t.Fatalf("%v: %s\non %s", err, expression, b.where())
	}
	return v
}

// await is js of a promise.
func await[T any](b *tab, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, step)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%v: %s\non %s", err, expression, b.where())
	}
	return v
}

// setSelect chooses an option by its value.
func setSelect(selector, value string) chromedp.Action[chromedp.Void] {
	return chromedp.SetValue(chromedp.CSS(selector), value)
}

// key presses keys, one after the other.
func (b *tab) key(keys string) {
	b.t.Helper()
	b.run(chromedp.KeyEvent(keys))
}

// where is the page's address and text.
func (b *tab) where() string {
	text, err := evaluate[string](b, "location.href + '\\n' + (document.body ? document.body.innerText : '')")
	if err != nil {
		return err.Error()
	}
	return text
}

// open goes to an address and waits until the page is there.
func (b *tab) open(url string) {
	b.t.Helper()
	b.run(chromedp.Navigate(url), chromedp.WaitReady(chromedp.CSS("body")))
}

// sees waits until an expression of the page is true, without touching the page. A page that is being loaded answers later.
func (b *tab) sees(what, expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	err := testenv.WaitFor(ctx, what, func() (bool, error) {
		ok, err := evaluate[bool](b, "Boolean("+expression+")")
		return err == nil && ok, ctx.Err()
	})
	if err != nil {
		b.shoot("failed")
		b.t.Fatalf("%v; the page is %s", err, b.where())
	}
}

// loads goes to an address, again and again until an expression of the page is true: for pages that are not live.
func (b *tab) loads(url, what, expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	err := testenv.WaitFor(ctx, what, func() (bool, error) {
		b.open(url)
		return js[bool](b, "Boolean("+expression+")"), nil
	})
	if err != nil {
		b.t.Fatalf("%v; the page is %s", err, b.where())
	}
}

// reads waits until the page's text has a text, whatever its case.
func (b *tab) reads(text string) {
	b.t.Helper()
	b.sees(fmt.Sprintf("%q on the page", text), fmt.Sprintf("document.body.innerText.toLowerCase().includes(%q)", strings.ToLower(text)))
}

// types replaces what stands in a field.
func (b *tab) types(field, text string) {
	b.t.Helper()
	b.run(chromedp.WaitVisible(chromedp.CSS(field)))
	js[bool](b, fmt.Sprintf("(function (e) { e.focus(); e.select(); return true; })(document.querySelector(%q))", field))
	b.key(text)
}

// click clicks the first element of a selector, once it is there and nothing covers it. All of it happens in the page at once: a part that is live may be made anew between
// any two commands of the browser's protocol.
func (b *tab) click(selector string) {
	b.t.Helper()
	b.sees(selector+" to click", fmt.Sprintf(`(function (e) {
		if (!e) { return false; }
		e.scrollIntoView({ block: "center" });
		var box = e.getClientRects()[0], top = box && document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
		if (!top || !e.contains(top)) { return false; }
		e.click();
		return true;
	})(document.querySelector(%q))`, selector))
}

// mark puts a note into the page that a reload would take away; unloaded fails if it is gone.
func (b *tab) mark() {
	b.t.Helper()
	js[bool](b, "window.marked = true")
}

func (b *tab) unloaded() {
	b.t.Helper()
	if !js[bool](b, "window.marked === true") {
		b.t.Error("the page was loaded again meanwhile; what was seen was not live")
	}
}

// envScreenshots names the directory of the screenshots. Without it they are in the test's artefacts (go test -artifacts), or in bin/screenshots.
const envScreenshots = "SHELFSTREAM_SCREENSHOTS"

// shots is where a test's screenshots are kept.
func shots(t *testing.T) string {
	t.Helper()
	dir := os.Getenv(envScreenshots)
	if f := flag.Lookup("test.artifacts"); dir == "" && f != nil && f.Value.String() == "true" {
		return t.ArtifactDir()
	}
	if dir == "" {
		root, err := testenv.ModuleRoot()
		must(t, err)
		dir = filepath.Join(root, "bin", "screenshots")
	}
	must(t, os.MkdirAll(dir, 0o755))
	return dir
}

// shoot keeps a picture of the page, all of it, as it is now.
func (b *tab) shoot(name string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, step)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	must(b.t, err)
	must(b.t, os.WriteFile(filepath.Join(shots(b.t), b.t.Name()+"-"+name+".png"), png, 0o644))
}

// album keeps the page as it looks on a desk and on a phone, by day and by night, and fails where it is wider than the phone.
func (b *tab) album(name string) {
	b.t.Helper()
	for _, s := range []size{desktop, phone} {
		for _, scheme := range []string{"light", "dark"} {
			b.look(s, scheme)
			b.fits(s)
			b.legible(s.name + " " + scheme)
			b.shoot(name + "-" + s.name + "-" + scheme)
		}
	}
	b.look(desktop, "light")
}

// fits fails the test if the page can be moved sideways.
func (b *tab) fits(s size) {
	b.t.Helper()
	wide := js[int64](b, "document.documentElement.scrollWidth")
	if wide > s.width {
		culprits := js[string](b, fmt.Sprintf(`Array.from(document.querySelectorAll("body *")).filter(function (e) {
			for (var p = e.parentElement; p && p !== document.body; p = p.parentElement) { if (/auto|hidden|scroll|clip/.test(getComputedStyle(p).overflowX)) { return false; } }
			return e.getBoundingClientRect().right > %d;
		}).slice(0, 8).map(function (e) { return e.tagName + "." + (e.getAttribute("class") || "") + " " + Math.round(e.getBoundingClientRect().right); }).join("; ")`, s.width))
		b.t.Errorf("%s is %d px wide on a %s of %d px: %s", js[string](b, "location.href"), wide, s.name, s.width, culprits)
	}
}

// legible fails the test for text that stands out too little from what is behind it: WCAG's 4.5 to 1, and 3 to 1 for large text.
func (b *tab) legible(how string) {
	b.t.Helper()
	faint := js[string](b, `(function () {
		function rgba(c) { var m = c.match(/^rgba?\(([^)]*)\)$/); if (!m) { return null; } var p = m[1].split(/[ ,\/]+/).map(Number); return [p[0], p[1], p[2], p.length > 3 ? p[3] : 1]; }
		function over(a, b) { return [0, 1, 2].map(function (i) { return a[i] * a[3] + b[i] * (1 - a[3]); }).concat(1); }
		function behind(e) { var all = []; for (; e; e = e.parentElement) { var c = rgba(getComputedStyle(e).backgroundColor); if (c && c[3] > 0) { all.push(c); if (c[3] === 1) { break; } } } return all.reverse().reduce(function (low, c) { return over(c, low); }, [255, 255, 255, 1]); }
		function light(c) { var l = c.slice(0, 3).map(function (v) { v /= 255; return v <= 0.04045 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4); }); return 0.2126 * l[0] + 0.7152 * l[1] + 0.0722 * l[2]; }
		var out = [];
		document.querySelectorAll("body *").forEach(function (e) {
			if (e.closest("svg, script, style, .hide") || !Array.from(e.childNodes).some(function (n) { return n.nodeType === 3 && n.data.trim(); })) { return; }
			var box = e.getBoundingClientRect(), s = getComputedStyle(e), c = rgba(s.color);
			if (!box.width || !box.height || s.visibility !== "visible" || !c) { return; }
			var back = behind(e), a = light(over(c, back)), z = light(back), ratio = (Math.max(a, z) + 0.05) / (Math.min(a, z) + 0.05), px = parseFloat(s.fontSize);
			var least = px >= 24 || px >= 18.66 && +s.fontWeight >= 700 ? 3 : 4.5;
			if (ratio < least) { out.push(e.tagName + "." + (e.getAttribute("class") || "") + " " + ratio.toFixed(2) + " " + e.textContent.trim().slice(0, 30)); }
		});
		return out.slice(0, 8).join("; ");
	})()`)
	if faint != "" {
		b.t.Errorf("%s, %s: text is too faint: %s", js[string](b, "location.href"), how, faint)
	}
}

// reach presses the tabulator until the focus is on an element, and fails if it never is.
func (b *tab) reach(selector string) {
	b.t.Helper()
	js[bool](b, "(document.activeElement && document.activeElement.blur(), scrollTo(0, 0), true)")
	for range 200 {
		b.key("\t")
		if js[bool](b, fmt.Sprintf("document.activeElement && document.activeElement.matches(%q)", selector)) {
			return
		}
	}
	b.t.Errorf("the keyboard does not reach %s", selector)
}
