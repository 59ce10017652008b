// Users in PostgreSQL: one pgxpool, statements that pgx prepares once per connection.
package main

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"github.com/jackc/pgconn"
	"github.com/jackc/pgtype"
	"github.com/jackc/pgx/v4"
	"github.com/jackc/pgx/v4/pgxpool"
)

const (
	columns    = "id, name, email, status, created_at, updated_at"
	userByID   = "SELECT " + columns + " FROM users WHERE id = $1"
	usersPage  = "SELECT " + columns + " FROM users WHERE status = $1 ORDER BY id LIMIT $2 OFFSET $3"
	usersCount = "SELECT count(*) FROM users WHERE status = $1"
	userInsert = "INSERT INTO users (" + columns + ") VALUES ($1, $2, $3, $4, $5, $6) RETURNING " + columns
)

var (
	errNotFound  = errors.New("no such user")
	errDuplicate = errors.New("this e-mail address is taken")
)

// UUID is kept as 16 bytes, as pgx reads it, and is written with dashes.
type UUID [16]byte

// MarshalText writes the 36 characters of RFC 9562.
func (id UUID) MarshalText() ([]byte, error) {
	text := make([]byte, 36)
	hex.Encode(text, id[:4])
	text[8] = '-'
	hex.Encode(text[9:], id[4:6])
	text[13] = '-'
	hex.Encode(text[14:], id[6:8])
	text[18] = '-'
	hex.Encode(text[19:], id[8:10])
	text[23] = '-'
	hex.Encode(text[24:], id[10:])
	return text, nil
}

// User is a row, and what an answer shows of it.
type User struct {
	ID        UUID      `json:"id"`
	Name      string    `json:"name"`
	Email     string    `json:"email"`
	Status    string    `json:"status"`
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`
}

// Store asks the database.
type Store struct {
	pool *pgxpool.Pool
}

func openStore(ctx context.Context, url string, connections int32) (*Store, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = connections
	pool, err := pgxpool.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	return &Store{pool}, nil
}

func scan(row pgx.Row) (User, error) {
	var user User
	var id pgtype.UUID
	err := row.Scan(&id, &user.Name, &user.Email, &user.Status, &user.CreatedAt, &user.UpdatedAt)
	user.ID = id.Bytes
	return user, err
}

// Find reads one user. The id is sent as text: the database says whether it is one.
func (store *Store) Find(ctx context.Context, id string) (User, error) {
	user, err := scan(store.pool.QueryRow(ctx, userByID, id))
	if errors.Is(err, pgx.ErrNoRows) {
		return user, errNotFound
	}
	return user, err
}

// List reads a page and counts, with one round trip: both statements are sent as a batch.
func (store *Store) List(ctx context.Context, status string, limit, offset int) ([]User, int, error) {
	batch := &pgx.Batch{}
	batch.Queue(usersPage, status, limit, offset)
	batch.Queue(usersCount, status)
	results := store.pool.SendBatch(ctx, batch)
	defer results.Close()
	rows, err := results.Query()
	if err != nil {
		return nil, 0, err
	}
	users := make([]User, 0, limit)
	for rows.Next() {
		user, err := scan(rows)
		if err != nil {
			rows.Close()
			return nil, 0, err
		}
		users = append(users, user)
	}
	if err := rows.Err(); err != nil {
		return nil, 0, err
	}
	var total int
	err = results.QueryRow().Scan(&total)
	return users, total, err
}

// Insert stores a new user, and reads it as it was stored.
func (store *Store) Insert(ctx context.Context, user User) (User, error) {
	row := store.pool.QueryRow(ctx, userInsert, [16]byte(user.ID), user.Name, user.Email, user.Status, user.CreatedAt, user.UpdatedAt)
	made, err := scan(row)
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == "23505" {
		return made, errDuplicate
	}
	return made, err
}
