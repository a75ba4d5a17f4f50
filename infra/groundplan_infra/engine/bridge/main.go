// pulumi-resource-aws: the Terraform AWS provider behind the tokens and names of the pulumi_aws SDK.
//
// For verification on machines that have the Terraform provider but cannot download Pulumi's AWS plugin.
// aws_plugin.py compiles it inside a copy of pulumi-terraform-bridge, because the loader of Terraform providers is internal
// to it. Commands beside the engine's own: "types" lists the Terraform types that the mapping is made from, "names" the
// arguments on which SDK and Terraform provider disagree.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"

	"github.com/pulumi/pulumi-terraform-bridge/v3/dynamic/internal/shim/run"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/proto"
	pfbridge "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/info"
	shim "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim"
)

var sdkVersion = os.Getenv("PULUMI_AWS_SDK_VERSION")

type entry struct {
	TF     string           `json:"tf"`
	Inputs map[string]input `json:"inputs"` // by SDK input name
}

type input struct {
	Kind   string           `json:"kind"`   // list, map or one
	Fields map[string]input `json:"fields"` // of what is nested in it
}

type mapping struct {
	Resources map[string]entry `json:"resources"`
	Functions map[string]entry `json:"functions"`
}

func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "pulumi-resource-aws (bridge): "+format+"\n", args...)
	os.Exit(1)
}

func main() {
	ctx := context.Background()
	if len(os.Args) > 1 && strings.TrimLeft(os.Args[1], "-") == "version" {
		fmt.Println(sdkVersion)
		return
	}
	dir := os.Getenv("TERRAFORM_AWS_PROVIDER_DIR")
	if dir == "" {
		fail("set TERRAFORM_AWS_PROVIDER_DIR to the folder that holds terraform-provider-aws_v*")
	}
	server, err := run.LocalProvider(ctx, filepath.Join(dir, "terraform-provider-aws"))
	if err != nil {
		fail("starting the Terraform provider in %s: %v", dir, err)
	}
	defer server.Close()

	provider := proto.New(ctx, server)
	if len(os.Args) > 1 && os.Args[1] == "types" {
		reportTypes(provider)
		return
	}
	text, err := os.ReadFile(os.Getenv("PULUMI_AWS_MAPPING"))
	if err != nil {
		fail("PULUMI_AWS_MAPPING: %v", err)
	}
	var m mapping
	if err := json.Unmarshal(text, &m); err != nil {
		fail("%s: %v", os.Getenv("PULUMI_AWS_MAPPING"), err)
	}
	prov := info.Provider{
		P: provider, Name: "aws", Version: sdkVersion, ResourcePrefix: "aws",
		MetadataInfo: &info.Metadata{Path: "", Data: tfbridge.ProviderMetadata(nil)},
		Resources:    resources(provider, m.Resources),
		DataSources:  functions(provider, m.Functions),
	}
	prov.SetAutonaming(255, "-")
	if len(os.Args) > 1 && os.Args[1] == "names" {
		reportNames(provider, prov.Resources, m.Resources)
		return
	}
	go endWith(os.Getppid(), server)
	schema := []byte(fmt.Sprintf(`{"name":"aws","version":%q}`, sdkVersion))
	pfbridge.Main(ctx, "aws", prov, pfbridge.ProviderMetadata{PackageSchema: schema})
}

// endWith ends this process, and the Terraform provider with it, once the engine that started it was killed.
func endWith(engine int, server io.Closer) {
	for os.Getppid() == engine {
		time.Sleep(time.Second)
	}
	_ = server.Close()
	os.Exit(1)
}

// resources gives each Terraform type one token (the canonical one where old aliases exist) and the SDK's names.
func resources(p shim.Provider, entries map[string]entry) map[string]*info.Resource {
	out := map[string]*info.Resource{}
	for token, e := range entries {
		r, ok := p.ResourcesMap().GetOk(e.TF)
		if !ok {
			continue
		}
		if old, dup := out[e.TF]; dup && len(old.Tok) <= len(token) {
			continue
		}
		out[e.TF] = &info.Resource{Tok: tokens.Type(token), Fields: fields(r.Schema(), e)}
	}
	return out
}

func functions(p shim.Provider, entries map[string]entry) map[string]*info.DataSource {
	out := map[string]*info.DataSource{}
	for token, e := range entries {
		if _, ok := p.DataSourcesMap().GetOk(e.TF); !ok {
			continue
		}
		if old, dup := out[e.TF]; dup && len(old.Tok) <= len(token) {
			continue
		}
		out[e.TF] = &info.DataSource{Tok: tokens.ModuleMember(token)}
	}
	return out
}

// nameLike are the arguments, beside "name", that pulumi_aws fills with "<logical name>-<7 hex>" when they are not given.
var nameLike = []string{"bucket", "identifier", "cluster_identifier"}

// fields overrides the names and shapes of a resource's arguments where they differ from the SDK's.
func fields(schema shim.SchemaMap, e entry) map[string]*info.Schema {
	out := shapes(schema, e.Inputs)
	renameToName(schema, e, out)
	for _, name := range nameLike {
		s, ok := schema.GetOk(name)
		if ok && s.Optional() && s.Computed() && s.Type() == shim.TypeString && out[name] == nil {
			out[name] = tfbridge.AutoNameTransform(tfbridge.TerraformToPulumiNameV2(name, schema, nil), 63, strings.ToLower)
		}
	}
	return out
}

// shapes compares the bridge's default name and shape of each argument with the SDK's, and overrides where they differ;
// so with what is nested in it.
func shapes(schema shim.SchemaMap, inputs map[string]input) map[string]*info.Schema {
	out := map[string]*info.Schema{}
	if len(inputs) == 0 {
		return out
	}
	schema.Range(func(tfName string, s shim.Schema) bool {
		override := shape(schema, tfName, s, inputs)
		set := map[string]*info.Schema{}
		if override != nil {
			set[tfName] = override
		}
		nested, isBlock := s.Elem().(shim.Resource)
		in, ok := inputs[tfbridge.TerraformToPulumiNameV2(tfName, schema, set)]
		if ok && isBlock {
			if inner := shapes(nested.Schema(), in.Fields); len(inner) > 0 {
				if override == nil {
					override = &info.Schema{}
				}
				override.Elem = &info.Schema{Fields: inner}
			}
		}
		if override != nil {
			out[tfName] = override
		}
		return true
	})
	return out
}

// shape gives the override of one argument, or nil where the bridge's default is what the SDK has.
func shape(schema shim.SchemaMap, tfName string, s shim.Schema, inputs map[string]input) *info.Schema {
	t, f := true, false
	matches := func(o *info.Schema) bool {
		set := map[string]*info.Schema{}
		if o != nil {
			set[tfName] = o
		}
		in, ok := inputs[tfbridge.TerraformToPulumiNameV2(tfName, schema, set)]
		if !ok {
			return false
		}
		collection := s.Type() == shim.TypeList || s.Type() == shim.TypeSet
		flattened := o != nil && o.MaxItemsOne != nil && *o.MaxItemsOne || (o == nil || o.MaxItemsOne == nil) && s.MaxItems() == 1
		return !collection || (in.Kind == "list") == !flattened
	}
	if matches(nil) {
		return nil
	}
	for _, o := range []*info.Schema{{MaxItemsOne: &t}, {MaxItemsOne: &f}} {
		if matches(o) {
			return o
		}
	}
	for name := range inputs { // same letters, other capitals; or topic for topic_arn
		letters := strings.ReplaceAll(tfName, "_", "")
		if strings.EqualFold(name, letters) || s.Required() && name+"arn" == letters {
			return &info.Schema{Name: name}
		}
	}
	return nil
}

// renameToName finds the one argument like alarm_name that pulumi_aws calls "name", and names it automatically.
func renameToName(schema shim.SchemaMap, e entry, fields map[string]*info.Schema) {
	if _, ok := e.Inputs["name"]; !ok {
		return
	}
	if _, taken := schema.GetOk("name"); taken {
		return
	}
	var candidates []string
	schema.Range(func(tfName string, s shim.Schema) bool {
		_, known := e.Inputs[tfbridge.TerraformToPulumiNameV2(tfName, schema, fields)]
		if !known && s.Type() == shim.TypeString && (s.Required() || s.Optional()) && strings.HasSuffix(tfName, "name") {
			candidates = append(candidates, tfName)
		}
		return true
	})
	if len(candidates) == 1 {
		fields[candidates[0]] = tfbridge.AutoName("name", 255, "-")
	}
}

// reportTypes prints the names of the Terraform provider's resources and data sources, as JSON.
func reportTypes(p shim.Provider) {
	types := map[string][]string{"resources": {}, "functions": {}}
	p.ResourcesMap().Range(func(name string, _ shim.Resource) bool {
		types["resources"] = append(types["resources"], name)
		return true
	})
	p.DataSourcesMap().Range(func(name string, _ shim.Resource) bool {
		types["functions"] = append(types["functions"], name)
		return true
	})
	if err := json.NewEncoder(os.Stdout).Encode(types); err != nil {
		fail("types: %v", err)
	}
}

// reportNames prints, per token, arguments of the Terraform type that no SDK input stands for, and the reverse.
func reportNames(p shim.Provider, prov map[string]*info.Resource, entries map[string]entry) {
	for token, e := range entries {
		r, res := p.ResourcesMap().Get(e.TF), prov[e.TF]
		if res == nil || string(res.Tok) != token || len(e.Inputs) == 0 {
			continue
		}
		missing, seen := []string{}, map[string]bool{"region": true}
		r.Schema().Range(func(tfName string, s shim.Schema) bool {
			name := tfbridge.TerraformToPulumiNameV2(tfName, r.Schema(), res.Fields)
			seen[name] = true
			if _, ok := e.Inputs[name]; !ok && (s.Required() || s.Optional()) && tfName != "tags_all" && tfName != "id" {
				missing = append(missing, tfName)
			}
			return true
		})
		extra := []string{}
		for name := range e.Inputs {
			if !seen[name] {
				extra = append(extra, name)
			}
		}
		if len(missing)+len(extra) > 0 {
			fmt.Printf("%s: not in the SDK %v; not in Terraform %v\n", token, missing, extra)
		}
	}
}
