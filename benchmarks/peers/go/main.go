// The peer: net/http with pgx. Bare: routing, the database and JSON, nothing else.
package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	usersPath = "/api/v1/users"
	userPath  = usersPath + "/"
)

type meta struct{}

type pageMeta struct {
	Page       int `json:"page"`
	PageSize   int `json:"pageSize"`
	TotalCount int `json:"totalCount"`
	TotalPages int `json:"totalPages"`
}

type one struct {
	Data User `json:"data"`
	Meta meta `json:"meta"`
}

type many struct {
	Data []User   `json:"data"`
	Meta pageMeta `json:"meta"`
}

type newUser struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

type failure struct {
	Error struct {
		Code string `json:"code"`
	} `json:"error"`
}

type server struct {
	store *Store
}

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(userPath, s.read)
	mux.HandleFunc(usersPath, s.usersHandler)
	return mux
}

func (s *server) usersHandler(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet:
		s.browse(w, r)
	case http.MethodPost:
		s.create(w, r)
	default:
		fail(w, http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED")
	}
}

func (s *server) read(w http.ResponseWriter, r *http.Request) {
	user, err := s.store.Find(r.Context(), strings.TrimPrefix(r.URL.Path, userPath))
	if err != nil {
		refuse(w, err)
		return
	}
	write(w, http.StatusOK, one{Data: user})
}

func (s *server) browse(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	page, size := number(query.Get("page"), 1), number(query.Get("pageSize"), 20)
	users, total, err := s.store.List(r.Context(), query.Get("status"), size, (page-1)*size)
	if err != nil {
		refuse(w, err)
		return
	}
	write(w, http.StatusOK, many{users, pageMeta{page, size, total, (total + size - 1) / size}})
}

func (s *server) create(w http.ResponseWriter, r *http.Request) {
	var given newUser
	if err := json.NewDecoder(r.Body).Decode(&given); err != nil {
		fail(w, http.StatusBadRequest, "VALIDATION_ERROR")
		return
	}
	id, err := newID()
	if err != nil {
		refuse(w, err)
		return
	}
	now := time.Now().UTC()
	made, err := s.store.Insert(r.Context(), User{id, given.Name, given.Email, "pending", now, now})
	if err != nil {
		refuse(w, err)
		return
	}
	write(w, http.StatusCreated, one{Data: made})
}

// newID makes a UUIDv7 (RFC 9562, 5.7), so that new rows are neighbours in the index, as everybody's here.
func newID() (UUID, error) {
	var id UUID
	if _, err := rand.Read(id[6:]); err != nil {
		return id, err
	}
	var milliseconds [8]byte
	binary.BigEndian.PutUint64(milliseconds[:], uint64(time.Now().UnixMilli()))
	copy(id[:6], milliseconds[2:])
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id, nil
}

func number(text string, otherwise int) int {
	value, err := strconv.Atoi(text)
	if err != nil || value < 1 {
		return otherwise
	}
	return value
}

func write(w http.ResponseWriter, status int, answer interface{}) {
	content, err := json.Marshal(answer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(content))) // net/http counts short answers only
	w.WriteHeader(status)
	w.Write(content)
}

func refuse(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, errNotFound):
		fail(w, http.StatusNotFound, "NOT_FOUND")
	case errors.Is(err, errDuplicate):
		fail(w, http.StatusConflict, "CONFLICT")
	default:
		log.Print(err)
		fail(w, http.StatusInternalServerError, "INTERNAL")
	}
}

func fail(w http.ResponseWriter, status int, code string) {
	var answer failure
	answer.Error.Code = code
	write(w, status, answer)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	connections, err := strconv.ParseInt(os.Getenv("POOL_SIZE"), 10, 32)
	if err != nil {
		log.Fatalf("POOL_SIZE is no number: %v", err)
	}
	store, err := openStore(ctx, os.Getenv("DATABASE_URL"), int32(connections))
	if err != nil {
		log.Fatal(err)
	}
	listener := &http.Server{Addr: "127.0.0.1:" + os.Getenv("PORT"), Handler: (&server{store}).routes()}
	go func() {
		<-ctx.Done()
		listener.Shutdown(context.Background())
	}()
	if err := listener.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	store.pool.Close()
}
