package fault

// The causes in rules and guards. Those of a product wait for its rows: it is tried again when they change.
const (
	RulesVATUnknown Cause = "rules.vat_unknown"
	RulesVATTwice   Cause = "rules.vat_ambiguous"
	RulesRowMissing Cause = "rules.row_missing"
	RulesAmbiguous  Cause = "rules.ambiguous"
	RulesNotInMap   Cause = "rules.not_in_map"
	RulesTree       Cause = "rules.tree"
	RulesParked     Cause = "rules.parked"
	RulesValue      Cause = "rules.value"
	RulesArithmetic Cause = "rules.arithmetic"
	GuardHeld       Cause = "guard.held"
)

func rulesEntries() []Entry {
	const system = "Rules"
	return []Entry{
		{RulesVATUnknown, system, "A product's VAT code has no rate", Invalid, Error, "add the rate, or correct the product's code", "", true},
		{RulesVATTwice, system, "Two VAT rates are valid on one day", Conflict, Error, "end one of the rows before the other begins, or give the rule an order", "", true},
		{RulesRowMissing, system, "A row that a rule looks up does not exist", Invalid, Error, "add the row", "", true},
		{RulesAmbiguous, system, "Several rows match where a rule wants one", Conflict, Error, "remove one of the rows, or give the rule an order", "", true},
		{RulesNotInMap, system, "A value is not in a rule's map", Invalid, Error, "add it to the map, or give the map a default", "shelfstream plan -rules <file>", true},
		{RulesTree, system, "A tree of categories has a gap or runs in a circle", Invalid, Error, "correct the parents in the ERP", "", true},
		{RulesParked, system, "A rule of your own parks the product", Invalid, Error, "correct the product in the ERP", "", true},
		{RulesValue, system, "A value of the ERP is not what the rule needs", Invalid, Error, "correct the value in the ERP", "", true},
		{RulesArithmetic, system, "A rule cannot calculate with a value", Invalid, Error, "correct the value in the ERP, or guard against it in the rule", "", true},
		{GuardHeld, "Guards", "A guard holds changes", Held, Critical, "look at them; let them out if they are meant, correct the ERP if not", "shelfstream held apply <view> -why <reason>", true},
	}
}
