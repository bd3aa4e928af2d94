// Package gate is a client of Interlock's gate, with the standard library only: ask before each call,
// tell everything else. Retries carry the same request id, so the gate records each request once.
package gate

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

type Gate struct{ Address, Token, Session string }

type Fields = map[string]any

// An Answer to a request. Run the tool only if Decision is "allow", and with Args if there are any.
type Answer struct {
	Decision, Request, Call, Message string
	Args                             Fields
}

func (g Gate) Ask(tool string, args Fields) (answer Answer, err error) {
	request := newID()
	err = g.send("POST", "/v1/ask", Fields{"session": g.Session, "request": request, "tool": tool, "args": args}, &answer)
	poll := "/v1/answers?" + url.Values{"session": {g.Session}, "request": {request}, "wait_s": {"25"}}.Encode()
	for err == nil && answer.Decision == "hold" {
		answer = Answer{}
		err = g.send("GET", poll, nil, &answer)
	}
	if err == nil && answer.Request != request {
		return Answer{}, fmt.Errorf("this is the answer to another request")
	}
	return answer, err
}

func (g Gate) Tell(events ...Fields) error {
	return g.send("POST", "/v1/tell", Fields{"session": g.Session, "request": newID(), "events": events}, &Fields{})
}

func (g Gate) send(method, path string, fields Fields, into any) error {
	body, err := json.Marshal(fields)
	if fields == nil {
		body = nil
	}
	follow := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client := http.Client{Timeout: 35 * time.Second, CheckRedirect: follow}
	for pause := 100 * time.Millisecond; err == nil; pause *= 2 {
		request, err := http.NewRequest(method, g.Address+path, bytes.NewReader(body))
		if err != nil {
			return err
		}
		request.Header = http.Header{"Authorization": {"Bearer " + g.Token}, "Content-Type": {"application/json"}}
		if response, err := client.Do(request); err == nil {
			told, _ := io.ReadAll(io.LimitReader(response.Body, 4<<20))
			response.Body.Close()
			if response.StatusCode == 200 {
				return json.Unmarshal(told, into)
			} else if response.StatusCode < 500 && response.StatusCode != 429 {
				return fmt.Errorf("status %d: %s", response.StatusCode, told)
			}
		}
		if pause > 10*time.Second {
			return fmt.Errorf("the gate does not answer")
		}
		time.Sleep(pause)
	}
	return err
}

func newID() string {
	id := make([]byte, 16)
	rand.Read(id)
	return fmt.Sprintf("%x", id)
}
