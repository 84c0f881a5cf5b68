// Sends a mail; gen/ is made from protos/ by `buf generate ../../../protos`.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	mail "example/gen/rossio/mail/v1"
)

func main() {
	channel, err := grpc.NewClient(os.Getenv("ROSSIO_MAIL"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+os.Getenv("ROSSIO_TOKEN"))
	from, to, id := os.Getenv("FROM"), os.Getenv("TO"), fmt.Sprint("go-", time.Now().UnixNano())
	content := []byte("From: " + from + "\r\nTo: " + to + "\r\nSubject: From Go\r\n\r\nHello.\r\n")
	request := &mail.SubmitRequest{RequestId: id, Sender: from, Recipients: []string{to}, Content: content}
	answer, err := mail.NewMailServiceClient(channel).Submit(ctx, request)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.MessageId)
}
