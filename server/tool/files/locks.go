package files

import "sync"

// locks lets one write at a time go on for an owner, and none for a tenant that is being erased. A lock is kept while somebody holds or wants it.
type locks struct {
	mu   sync.Mutex
	held map[string]*lock
}

type lock struct {
	sync.RWMutex
	users int
}

// owner waits until nobody else writes for the owner, and returns what lets the next one in.
func (l *locks) owner(tenantID, owner string) (unlock func()) {
	tenant := l.enter(tenantID)
	tenant.RLock()
	own := l.enter(owner)
	own.Lock()
	return func() {
		own.Unlock()
		l.leave(owner, own)
		tenant.RUnlock()
		l.leave(tenantID, tenant)
	}
}

// tenant waits until nobody writes for any owner of the tenant.
func (l *locks) tenant(tenantID string) (unlock func()) {
	tenant := l.enter(tenantID)
	tenant.Lock()
	return func() {
		tenant.Unlock()
		l.leave(tenantID, tenant)
	}
}

func (l *locks) enter(key string) *lock {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == nil {
		l.held = map[string]*lock{}
	}
	one := l.held[key]
	if one == nil {
		one = &lock{}
		l.held[key] = one
	}
	one.users++
	return one
}

func (l *locks) leave(key string, one *lock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if one.users--; one.users == 0 {
		delete(l.held, key)
	}
}
