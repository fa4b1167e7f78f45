package cache

// Bus tells other servers which keys have changed, and hears it from them.
type Bus interface {
	// Publish tells the other servers a key of a topic; an empty one stands for all.
	Publish(topic, key string)
	// Subscribe calls fn with each key that another server has published, and with an empty one when some may have been missed.
	Subscribe(topic string, fn func(key string))
	// Healthy reports whether everything that others published until a second ago was heard.
	Healthy() bool
}

// Alone is the bus of a server that is the only one on its database.
type Alone struct{}

// Publish implements Bus: there is nobody to tell.
func (Alone) Publish(string, string) {}

// Subscribe implements Bus: there is nobody to hear.
func (Alone) Subscribe(string, func(string)) {}

// Healthy implements Bus.
func (Alone) Healthy() bool { return true }

// Deaf is the bus of servers on one database that cannot hear each other.
type Deaf struct{ Alone }

// Healthy implements Bus: others may have changed anything.
func (Deaf) Healthy() bool { return false }
