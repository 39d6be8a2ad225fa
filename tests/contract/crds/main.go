// Crdcheck says what a Kubernetes API server would say, with the API server's own code and without a server.
//
// Reads {"crds": [...], "cases": [{"crd": name, "object": {...}, "old": {...}}]} on stdin. Writes, in the same order,
// the verdict on each CRD (schema, CEL compilation, CEL cost estimates) and on each case: unknown fields, defaulting,
// schema, list maps, CEL rules. A case with "old" is an update.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	v1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	crdvalidation "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

type request struct {
	CRDs  []v1.CustomResourceDefinition `json:"crds"`
	Cases []struct {
		CRD    string          `json:"crd"`
		Object json.RawMessage `json:"object"`
		Old    json.RawMessage `json:"old"`
	} `json:"cases"`
}

type problem struct {
	Type   string `json:"type"`
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

type verdict struct {
	Problems []problem      `json:"problems"`
	Object   map[string]any `json:"object,omitempty"`
}

type answer struct {
	CRDs  []verdict `json:"crds"`
	Cases []verdict `json:"cases"`
}

// kind is one CRD, ready to judge objects.
type kind struct {
	structural *schema.Structural
	schema     validation.SchemaValidator
	rules      *cel.Validator
}

func main() {
	var in request
	must(json.NewDecoder(os.Stdin).Decode(&in))
	var out answer
	kinds := map[string]kind{}
	for i := range in.CRDs {
		crd := &in.CRDs[i]
		v1.SetDefaults_CustomResourceDefinition(crd)
		v1.SetDefaults_CustomResourceDefinitionSpec(&crd.Spec)
		var internal apiextensions.CustomResourceDefinition
		must(v1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(crd, &internal, nil))
		errs := crdvalidation.ValidateCustomResourceDefinition(context.Background(), &internal)
		out.CRDs = append(out.CRDs, verdict{Problems: problems(errs)})
		if len(errs) == 0 {
			kinds[crd.Name] = newKind(&internal)
		}
	}
	for _, c := range in.Cases {
		k, ok := kinds[c.CRD]
		if !ok {
			must(fmt.Errorf("no valid CRD %q for a case", c.CRD))
		}
		out.Cases = append(out.Cases, k.judge(object(c.Object), object(c.Old)))
	}
	must(json.NewEncoder(os.Stdout).Encode(out))
}

// object reads whole numbers as integers, as the API server does; encoding/json would make them floats.
func object(raw json.RawMessage) map[string]any {
	if raw == nil {
		return nil
	}
	var value map[string]any
	must(utiljson.Unmarshal(raw, &value))
	return value
}

func newKind(crd *apiextensions.CustomResourceDefinition) kind {
	// The conversion to the internal type lifts a single version's schema to the top.
	props := crd.Spec.Validation
	if props == nil {
		props = crd.Spec.Versions[0].Schema
	}
	structural, err := schema.NewStructural(props.OpenAPIV3Schema)
	must(err)
	validator, _, err := validation.NewSchemaValidator(props.OpenAPIV3Schema)
	must(err)
	return kind{structural, validator, cel.NewValidator(structural, true, celconfig.PerCallLimit)}
}

// judge goes through the steps of a create or an update in the API server's order. It edits both objects.
func (k kind) judge(object, old map[string]any) verdict {
	unknown := pruning.PruneWithOptions(object, k.structural, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	var errs field.ErrorList
	for _, path := range unknown {
		errs = append(errs, field.Forbidden(field.NewPath(path), "unknown field"))
	}
	for _, o := range []map[string]any{object, old} {
		defaulting.PruneNonNullableNullsWithoutDefaults(o, k.structural)
		defaulting.Default(o, k.structural)
	}
	var oldObject any // a nil map inside an interface would count as an old object
	if old == nil {
		errs = append(errs, validation.ValidateCustomResource(nil, object, k.schema)...)
	} else {
		oldObject = old
		errs = append(errs, validation.ValidateCustomResourceUpdate(nil, object, old, k.schema)...)
	}
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, k.structural, object)...)
	if len(errs) == 0 && k.rules != nil {
		errs, _ = k.rules.Validate(context.Background(), nil, k.structural, object, oldObject, celconfig.RuntimeCELCostBudget)
	}
	return verdict{problems(errs), object}
}

func problems(errs field.ErrorList) []problem {
	found := []problem{}
	for _, err := range errs {
		found = append(found, problem{string(err.Type), err.Field, err.Detail})
	}
	return found
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
