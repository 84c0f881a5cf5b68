// Program policies enforces the network policies on this node with kube-router's controller, and nothing else of it:
// neither its router nor its proxy, which would double what is built. It takes kube-router's flags.
package main

import (
	"log"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/cloudnativelabs/kube-router/v2/pkg/controllers/netpol"
	"github.com/cloudnativelabs/kube-router/v2/pkg/healthcheck"
	"github.com/cloudnativelabs/kube-router/v2/pkg/options"
	"github.com/spf13/pflag"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	config := options.NewKubeRouterConfig()
	config.AddFlags(pflag.CommandLine)
	pflag.Parse()
	rest, err := clientcmd.BuildConfigFromFlags("", config.Kubeconfig)
	must(err)
	client, err := kubernetes.NewForConfig(rest)
	must(err)

	known := informers.NewSharedInformerFactory(client, 0)
	pods := known.Core().V1().Pods().Informer()
	namespaces := known.Core().V1().Namespaces().Informer()
	rules := known.Networking().V1().NetworkPolicies().Informer()
	ended := make(chan struct{})
	known.Start(ended)
	known.WaitForCacheSync(ended)

	tables, sets, err := netpol.NewIPTablesHandlers(config)
	must(err)
	var setsLock sync.Mutex
	controller, err := netpol.NewNetworkPolicyController(client, config, pods, rules, namespaces, &setsLock, tables, sets)
	must(err)
	for informer, handler := range map[cache.SharedIndexInformer]cache.ResourceEventHandler{
		pods: controller.PodEventHandler, namespaces: controller.NamespaceEventHandler, rules: controller.NetworkPolicyEventHandler,
	} {
		_, err := informer.AddEventHandler(handler)
		must(err)
	}
	beats := make(chan *healthcheck.ControllerHeartbeat, 10)
	go func() {
		for range beats {
		}
	}()
	var running sync.WaitGroup
	running.Add(1)
	go controller.Run(beats, ended, &running)

	asked := make(chan os.Signal, 1)
	signal.Notify(asked, os.Interrupt, syscall.SIGTERM)
	<-asked
	close(ended)
	running.Wait()
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
