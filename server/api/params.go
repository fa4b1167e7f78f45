package api

// TenantPath names the tenant of an operator's operation.
type TenantPath struct {
	Tenant string `path:"tenant" maxLength:"64" doc:"The tenant's id or name"`
}

// Idempotent is the header of operations that create or spend; api.Handle acts on it.
type Idempotent struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" doc:"The same key and body within 24 hours repeat the answer instead of the work"`
}
