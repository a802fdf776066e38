package sink

// Bisect applies n things in order, those that fail by themselves left out. try applies the things [from, to) in one step or not at all; when its error is one for
// which blames returns true, the stretch is halved until the single things that fail are found. bad is called for each of them with its error. Any other error
// ends it and is returned.
//
// With b bad things among n it takes about 2·b·log2(n/b) tries.
func Bisect(n int, try func(from, to int) error, blames func(error) bool, bad func(i int, err error)) error {
	return bisect(0, n, try, blames, bad)
}

func bisect(from, to int, try func(from, to int) error, blames func(error) bool, bad func(i int, err error)) error {
	if from >= to {
		return nil
	}
	err := try(from, to)
	if err == nil {
		return nil
	}
	if !blames(err) {
		return err
	}
	if to-from == 1 {
		bad(from, err)
		return nil
	}
	mid := from + (to-from)/2
	if err := bisect(from, mid, try, blames, bad); err != nil {
		return err
	}
	return bisect(mid, to, try, blames, bad)
}
