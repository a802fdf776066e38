package rules

import "shelfstream/schemas"

// exactly calculates step by step and remembers the first error; what follows it is null.
type exactly struct{ err error }

func (e *exactly) done(v schemas.Value, err error) schemas.Value {
	if err != nil && e.err == nil {
		e.err = err
	}
	if e.err != nil {
		return schemas.Null
	}
	return v
}

func (e *exactly) add(a, b schemas.Value) schemas.Value {
	if e.err != nil {
		return schemas.Null
	}
	return e.done(schemas.AddDec(a, b))
}

func (e *exactly) sub(a, b schemas.Value) schemas.Value {
	if e.err != nil {
		return schemas.Null
	}
	return e.done(schemas.SubDec(a, b))
}

func (e *exactly) mul(a, b schemas.Value) schemas.Value {
	if e.err != nil {
		return schemas.Null
	}
	return e.done(schemas.MulDec(a, b))
}

func (e *exactly) quo(a, b schemas.Value, digits int, mode schemas.RoundMode) schemas.Value {
	if e.err != nil {
		return schemas.Null
	}
	return e.done(schemas.QuoDec(a, b, digits, mode))
}

func (e *exactly) round(v schemas.Value, digits int) schemas.Value {
	if e.err != nil {
		return schemas.Null
	}
	return e.done(schemas.Round(v, digits, schemas.HalfUp))
}
