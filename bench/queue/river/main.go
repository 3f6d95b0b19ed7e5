// River's queue on SQLite with jobs that do nothing: how many it inserts and works a second. One line of JSON.
//
//	river-bench FILE WORKERS JOBS BATCH
//
// Set up as its documentation says (one connection, WAL); synchronous=FULL as the other side's; it may fetch
// as often as it is able to.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"log/slog"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	_ "modernc.org/sqlite"
)

type nothing struct {
	Title string `json:"title"`
}

func (nothing) Kind() string { return "nothing" }

type worker struct {
	river.WorkerDefaults[nothing]
	worked *atomic.Int64
}

func (w *worker) Work(context.Context, *river.Job[nothing]) error {
	w.worked.Add(1)
	return nil
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func main() {
	if len(os.Args) != 5 {
		log.Fatal("river-bench FILE WORKERS JOBS BATCH")
	}
	workers := must(strconv.Atoi(os.Args[2]))
	jobs := must(strconv.Atoi(os.Args[3]))
	batch := must(strconv.Atoi(os.Args[4]))
	ctx := context.Background()

	db := must(sql.Open("sqlite", "file:"+os.Args[1]+
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)&_txlock=immediate"))
	db.SetMaxOpenConns(1)
	driver := riversqlite.New(db)
	migrator := must(rivermigrate.New(driver, nil))
	must(migrator.Migrate(ctx, rivermigrate.DirectionUp, nil))

	var worked atomic.Int64
	registry := river.NewWorkers()
	river.AddWorker(registry, &worker{worked: &worked})
	client := must(river.NewClient(driver, &river.Config{
		FetchCooldown:     river.FetchCooldownMin,
		FetchPollInterval: river.FetchCooldownMin,
		Logger:            slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		Queues:            map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: workers}},
		Workers:           registry,
	}))

	// One that only inserts: with SQLite, 0.31's InsertManyFast panics on a client whose producers wait to be started.
	inserter := must(river.NewClient(driver, &river.Config{}))
	began := time.Now()
	for done := 0; done < jobs; done += batch {
		params := make([]river.InsertManyParams, min(batch, jobs-done))
		for i := range params {
			params[i].Args = nothing{Title: "A conversation"}
		}
		must(inserter.InsertManyFast(ctx, params))
	}
	inserted := time.Since(began)

	// The clock stops when the last job is completed in the database: stopping writes what is left at once.
	began = time.Now()
	if err := client.Start(ctx); err != nil {
		log.Fatal(err)
	}
	for worked.Load() < int64(jobs) {
		time.Sleep(time.Millisecond)
	}
	if err := client.Stop(ctx); err != nil {
		log.Fatal(err)
	}
	took := time.Since(began)
	var completed int
	if err := db.QueryRow("SELECT count(*) FROM river_job WHERE state = 'completed'").Scan(&completed); err != nil {
		log.Fatal(err)
	}
	if completed != jobs {
		log.Fatalf("%d of %d jobs are completed", completed, jobs)
	}
	fmt.Printf("{\"insert\":%.0f,\"work\":%.0f}\n", float64(jobs)/inserted.Seconds(), float64(jobs)/took.Seconds())
}
