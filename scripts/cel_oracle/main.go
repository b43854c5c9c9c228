// Command cel_oracle evaluates CEL expressions as the Kubernetes API server does.
//
// It reads one expression a line from standard input (as JSON strings) and writes one JSON object a line: the
// expression, its value in the notation of show below or its error, the cost it had, and the least and most it may
// cost by the static estimate; "issues" when it does not compile. Built and run by scripts/record_cel_libraries.py.
package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"sort"
	"strconv"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/checker"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	apiservercel "k8s.io/apiserver/pkg/cel"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/apiserver/pkg/cel/library"

	"k8s.io/apimachinery/pkg/util/version"
)

// sizes has the longest that may be at a path.
var sizes = map[string]uint64{
	"s": 20, "ls": 5, "ls.@items": 7, "li": 6, "ms": 4, "ms.@keys": 3, "ms.@values": 9,
}

type estimator struct{}

func (estimator) EstimateSize(node checker.AstNode) *checker.SizeEstimate {
	if size, known := sizes[strings.Join(node.Path(), ".")]; known {
		return &checker.SizeEstimate{Min: 0, Max: size}
	}
	return nil
}

func (estimator) EstimateCallCost(_, _ string, _ *checker.AstNode, _ []checker.AstNode) *checker.CallEstimate {
	return nil
}

type answer struct {
	Expression string  `json:"e"`
	Type       string  `json:"type,omitempty"`
	Value      *string `json:"v,omitempty"`
	Error      string  `json:"error,omitempty"`
	Cost       *uint64 `json:"cost,omitempty"`
	Least      uint64  `json:"least"`
	Most       uint64  `json:"most"`
	Issues     string  `json:"issues,omitempty"`
}

// judge allows the verb get, fails at the verb fail, and says in its reason what it was asked.
type judge struct{}

func (judge) Authorize(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	selectors := ""
	if fields, err := a.GetFieldSelector(); err != nil {
		selectors += " field error: " + err.Error()
	} else if len(fields) > 0 {
		selectors += fmt.Sprintf(" fields: %v", fields)
	}
	if labels, err := a.GetLabelSelector(); err != nil {
		selectors += " label error: " + err.Error()
	} else if len(labels) > 0 {
		selectors += fmt.Sprintf(" labels: %v", labels)
	}
	reason := fmt.Sprintf("%s %s %q %q %q %q %q %q%s", a.GetUser().GetName(), a.GetVerb(), a.GetAPIGroup(),
		a.GetResource(), a.GetSubresource(), a.GetNamespace(), a.GetName(), a.GetPath(), selectors)
	switch a.GetVerb() {
	case "get":
		return authorizer.DecisionAllow, reason, nil
	case "fail":
		return authorizer.DecisionNoOpinion, reason, errors.New("no answer")
	}
	return authorizer.DecisionDeny, reason, nil
}

func main() {
	environments := environment.MustBaseEnvSet(version.MajorMinor(1, 36))
	environments, err := environments.Extend(environment.VersionedOptions{
		IntroducedVersion: version.MajorMinor(1, 0),
		EnvOptions: []cel.EnvOption{
			cel.Variable("s", cel.StringType),
			cel.Variable("ls", cel.ListType(cel.StringType)),
			cel.Variable("li", cel.ListType(cel.IntType)),
			cel.Variable("ms", cel.MapType(cel.StringType, cel.StringType)),
			cel.Variable("d", cel.DynType),
			cel.Variable("ld", cel.ListType(cel.DynType)),
			cel.Variable("authorizer", library.AuthorizerType),
			cel.Lib(jsonPatch{library.JSONPatch()}),
		},
	})
	fail(err)
	env := environments.NewExpressionsEnv()
	variables := map[string]any{
		"s": "hello wörld", "ls": []string{"b", "a", "b"}, "li": []int64{3, 1, 2},
		"ms": map[string]string{"k": "v", "a": "b"}, "d": map[string]any{"x": int64(1), "l": []any{"y", 2.5, nil}},
		"ld":         []any{int64(1), "a", true},
		"authorizer": library.NewAuthorizerVal(&user.DefaultInfo{Name: "ann"}, judge{}),
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for lines.Scan() {
		var expression string
		fail(json.Unmarshal(lines.Bytes(), &expression))
		fail(out.Encode(evaluate(env, expression, variables)))
	}
}

type jsonPatch struct{ option cel.EnvOption }

func (l jsonPatch) CompileOptions() []cel.EnvOption   { return []cel.EnvOption{l.option} }
func (jsonPatch) ProgramOptions() []cel.ProgramOption { return nil }

func evaluate(env *cel.Env, expression string, variables map[string]any) answer {
	said := answer{Expression: expression}
	checked, issues := env.Compile(expression)
	if issues != nil {
		said.Issues = issues.String()
		return said
	}
	said.Type = checked.OutputType().String()
	estimate, err := env.EstimateCost(checked, &library.CostEstimator{SizeEstimator: estimator{}})
	fail(err)
	said.Least, said.Most = estimate.Min, estimate.Max
	program, err := env.Program(checked)
	if err != nil {
		said.Error = "program: " + err.Error()
		return said
	}
	value, details, err := program.Eval(variables)
	if details != nil {
		said.Cost = details.ActualCost()
	}
	if err != nil {
		said.Error = err.Error()
		return said
	}
	text := show(value)
	said.Value = &text
	return said
}

func show(value ref.Val) string {
	switch v := value.(type) {
	case types.String:
		return quote(strings.ToValidUTF8(string(v), "\uFFFD"))
	case types.Int:
		return strconv.FormatInt(int64(v), 10)
	case types.Uint:
		return strconv.FormatUint(uint64(v), 10) + "u"
	case types.Bool:
		return strconv.FormatBool(bool(v))
	case types.Null:
		return "null"
	case types.Double:
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return fmt.Sprintf("double(%v)", float64(v))
		}
		return "double(" + strconv.FormatFloat(float64(v), 'f', -1, 64) + ")"
	case types.Bytes:
		return "bytes(" + base64.StdEncoding.EncodeToString([]byte(v)) + ")"
	case types.Duration:
		return fmt.Sprintf("duration(%d)", v.Duration.Nanoseconds())
	case types.Timestamp:
		return fmt.Sprintf("timestamp(%d, %d)", v.Unix(), v.Nanosecond())
	case *types.Type:
		return "type(" + v.TypeName() + ")"
	case *types.Optional:
		if !v.HasValue() {
			return "none"
		}
		return "optional(" + show(v.GetValue()) + ")"
	case apiservercel.Quantity:
		return "quantity(" + v.String() + ")"
	case *apiservercel.Quantity:
		return "quantity(" + v.String() + ")"
	case apiservercel.URL:
		return "url(" + v.URL.String() + ")"
	case apiservercel.IP:
		return "ip(" + v.Addr.String() + ")"
	case apiservercel.CIDR:
		return "cidr(" + v.Prefix.String() + ")"
	case apiservercel.Semver:
		return "semver(" + v.Version.String() + ")"
	case apiservercel.Format:
		return "format(" + v.Name + ")"
	case traits.Lister:
		parts := []string{}
		for it := v.Iterator(); it.HasNext() == types.True; {
			parts = append(parts, show(it.Next()))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case traits.Mapper:
		parts := []string{}
		for it := v.Iterator(); it.HasNext() == types.True; {
			key := it.Next()
			parts = append(parts, show(key)+": "+show(v.Get(key)))
		}
		sort.Strings(parts)
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return value.Type().TypeName()
}

func quote(text string) string {
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	fail(encoder.Encode(text))
	return strings.TrimSpace(out.String())
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
