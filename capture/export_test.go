package capture

import "context"

// Own does what a group's assignment starts, without a group: two runners can then both believe that they own the source.
func (r *Runner) Own(ctx context.Context) error { return r.own(ctx) }
