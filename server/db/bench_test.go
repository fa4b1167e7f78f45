package db_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clawless/clawless/server/db"
	"github.com/clawless/clawless/server/db/dbtest"
)

// BenchmarkWrite is one insert for each Write by many callers at once, as usage rows arrive.
func BenchmarkWrite(b *testing.B) {
	for _, callers := range []int{1, 32} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			d := dbtest.New(b)
			ctx := context.Background()
			now := db.At(time.Now())
			var n atomic.Int64
			b.ReportAllocs()
			b.SetParallelism(callers)
			if callers == 1 {
				for b.Loop() {
					write(b, ctx, d, n.Add(1), now)
				}
				return
			}
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					write(b, ctx, d, n.Add(1), now)
				}
			})
		})
	}
}

func write(b *testing.B, ctx context.Context, d *db.DB, n int64, now db.Time) {
	id := fmt.Sprintf("ten_%09d", n)
	err := d.Write(ctx, func(q db.Querier) error {
		_, err := addTenant.Exec(ctx, q, db.Args{"id": id, "name": id, "now": now})
		return err
	})
	if err != nil {
		b.Error(err)
	}
}

// BenchmarkReadOne is the look-up of one row by its key.
func BenchmarkReadOne(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	d := dbtest.New(b)
	now := db.At(time.Now())
	for n := range int64(1000) {
		write(b, ctx, d, n, now)
	}
	tenant := db.TenantOf("ten_000000500")
	b.ReportAllocs()
	for b.Loop() {
		var row tenantRow
		err := d.Read(ctx, func(q db.Querier) error { return oneTenant.Get(ctx, q, tenant, &row, nil) })
		if err != nil || row.ID != "ten_000000500" {
			b.Fatal(err, row)
		}
	}
}
