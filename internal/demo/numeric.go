package demo

import (
	"math/big"

	"github.com/jackc/pgx/v5/pgtype"
)

// numeric is coefficient × 10^-scale for a numeric column.
func numeric(coefficient int64, scale int32) pgtype.Numeric {
	return pgtype.Numeric{Int: big.NewInt(coefficient), Exp: -scale, Valid: true}
}
