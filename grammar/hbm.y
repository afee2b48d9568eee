/* hbm.y -- the grammar of the modelling language. Actions build the AST (front/ast.h) and do nothing else.
 *
 * The grammar accepts the whole language, so that what this version does not translate is refused later by
 * name and position. After a syntax error reading goes on behind the next `;`, or at the `}` that ends the block.
 */
%define api.pure full
%define api.prefix {hbm_}
%define api.location.type {Span}
%define parse.error custom
%define parse.lac full
%locations
%parse-param {Parser *parser} {void *scanner}
%lex-param {void *scanner}

%code requires {
#include "front/ast.h"
}

%code {
#define YYLLOC_DEFAULT(current, rhs, n)                                             \
    do {                                                                            \
        (current).file = YYRHSLOC(rhs, (n) ? 1 : 0).file;                           \
        (current).begin = (n) ? YYRHSLOC(rhs, 1).begin : YYRHSLOC(rhs, 0).end;      \
        (current).end = (n) ? YYRHSLOC(rhs, n).end : YYRHSLOC(rhs, 0).end;          \
    } while (0)
#define YYMAXDEPTH 20000

int hbm_lex(YYSTYPE *value, YYLTYPE *where, void *scanner);
static void hbm_error(YYLTYPE *where, Parser *parser, void *scanner, const char *message);

static Ast *node(Parser *parser, AstKind kind, Span span) { return ast_node(parser, kind, span); }
static Ast *named(Parser *parser, AstKind kind, Span span, AstWord name) {
    return ast_named(parser, kind, span, name);
}
#define LIST(list) (*(list))
/* A finished node; the parse ends where the tree would become too deep. */
#define CLOSE(result, n)                          \
    do {                                          \
        if (!((result) = ast_close(parser, (n)))) \
            YYABORT;                              \
    } while (0)
}

%union {
    AstWord word;
    double number;
    Ast *node;
    AstList *list;
}

%token <word> IDENT "name" STRING "string"
%token <number> NUMBER "number"
%token <word> CONST "const" HYPER "hyper" CONTEXT "context" LATENT "latent" OBSERVED "observed" GIVEN "given"
%token <word> LET "let" QUANTITY "quantity" PLATE "plate" SEQUENCE "sequence" CROSS "cross" FN "fn"
%token <word> DISTRIBUTION "distribution" LINK "link" DUAL "dual" IMPORT "import" DEFAULT "default"
%token <word> VIA "via" FROM "from" WITH "with" IN "in"
%token DOTS ".."
%token <word> EQ "==" NE "!=" LE "<=" GE ">=" AND "&&" OR "||"
%token <word> '<' '>' '+' '-' '*' '/' '@' '^' '!'
%token END 0 "end of file"

%right '?' ':'
%left OR
%left AND
%nonassoc EQ NE '<' '>' LE GE
%left '+' '-'
%left '*' '/' '@'
%precedence SIGN
%right '^'

%type <node> item declaration block expr primary argument range size member param support call slice
%type <list> items dims opt_dims exprs arguments opt_arguments members params opt_params names positions
%type <word> opt_via opt_from opt_with

%%

file:
    items                           { parser->root = node(parser, AST_FILE, @$);
                                      LIST(&parser->root->items) = LIST($1);
                                      CLOSE(parser->root, parser->root); }
;

items:
    %empty                          { $$ = ast_list(parser, NULL, NULL); }
|   items item                      { $$ = ast_list(parser, $1, $2); }
;

item:
    declaration ';'                 { CLOSE($$, $1); $$->span = @$; }
|   block                           { CLOSE($$, $1); $$->span = @$; }
|   error ';'                       { $$ = NULL; yyerrok; }
;

declaration:
    CONST IDENT '=' expr            { $$ = named(parser, AST_CONST, @$, $2); $$->value = $4; }
|   HYPER IDENT opt_dims '=' expr   { $$ = named(parser, AST_HYPER, @$, $2); LIST(&$$->dims) = LIST($3); $$->value = $5; }
|   CONTEXT IDENT opt_dims '~' call { $$ = named(parser, AST_CONTEXT, @$, $2); LIST(&$$->dims) = LIST($3); $$->value = $5; }
|   LATENT IDENT opt_dims '~' call opt_via
                                    { $$ = named(parser, AST_LATENT, @$, $2); LIST(&$$->dims) = LIST($3);
                                      $$->value = $5; $$->word = $6; }
|   LATENT IDENT IDENT opt_dims '~' call opt_via
                                    { $$ = named(parser, AST_LATENT, @$, $3); $$->elem = $2; LIST(&$$->dims) = LIST($4);
                                      $$->value = $6; $$->word = $7; }
|   OBSERVED IDENT opt_dims '~' call opt_with
                                    { $$ = named(parser, AST_OBSERVED, @$, $2); LIST(&$$->dims) = LIST($3);
                                      $$->value = $5; $$->word = $6; }
|   OBSERVED IDENT IDENT opt_dims '~' call opt_with
                                    { $$ = named(parser, AST_OBSERVED, @$, $3); $$->elem = $2; LIST(&$$->dims) = LIST($4);
                                      $$->value = $6; $$->word = $7; }
|   OBSERVED '(' names ')' '~' call { $$ = node(parser, AST_OBSERVED, @$); LIST(&$$->args) = LIST($3); $$->value = $6; }
|   GIVEN IDENT opt_dims '~' call   { $$ = named(parser, AST_GIVEN, @$, $2); LIST(&$$->dims) = LIST($3); $$->value = $5; }
|   GIVEN IDENT opt_dims '=' expr   { $$ = named(parser, AST_GIVEN, @$, $2); LIST(&$$->dims) = LIST($3);
                                      ast_list(parser, &$$->args, $5); }
|   LET IDENT '=' expr              { $$ = named(parser, AST_LET, @$, $2); $$->value = $4; }
|   QUANTITY IDENT '=' expr         { $$ = named(parser, AST_QUANTITY, @$, $2); $$->value = $4; }
|   FN IDENT '(' opt_params ')' '=' expr
                                    { $$ = named(parser, AST_FN, @$, $2); $$->doc = $1.text; LIST(&$$->args) = LIST($4);
                                      $$->value = $7; }
|   DEFAULT IDENT '=' IDENT         { $$ = named(parser, AST_DEFAULT, @$, $2); $$->word = $4; }
|   IMPORT STRING                   { $$ = node(parser, AST_IMPORT, @$); $$->word = $2; }
;

block:
    PLATE IDENT '(' size ')' opt_from '{' items close
                                    { $$ = named(parser, AST_PLATE, @$, $2); ast_list(parser, &$$->args, $4);
                                      $$->word = $6; LIST(&$$->items) = LIST($8); }
|   PLATE IDENT '(' size ',' IDENT ')' opt_from '{' items close
                                    { $$ = named(parser, AST_PLATE, @$, $2); ast_list(parser, &$$->args, $4);
                                      $$->elem = $6; $$->word = $8; LIST(&$$->items) = LIST($10); }
|   PLATE IDENT '{' items close     { $$ = named(parser, AST_PLATE, @$, $2); LIST(&$$->items) = LIST($4); }
|   SEQUENCE IDENT '(' size ')' opt_from '{' items close
                                    { $$ = named(parser, AST_SEQUENCE, @$, $2); ast_list(parser, &$$->args, $4);
                                      $$->word = $6; LIST(&$$->items) = LIST($8); }
|   CROSS names '{' items close     { $$ = node(parser, AST_CROSS, @$); LIST(&$$->args) = LIST($2); LIST(&$$->items) = LIST($4); }
|   CROSS names '(' size ')' '{' items close
                                    { $$ = node(parser, AST_CROSS, @$); LIST(&$$->args) = LIST($2); $$->value = $4;
                                      LIST(&$$->items) = LIST($7); }
|   DISTRIBUTION IDENT opt_dims '(' opt_params ')' ':' support '{' members '}'
                                    { $$ = named(parser, AST_DISTRIBUTION, @$, $2); $$->doc = $1.text;
                                      LIST(&$$->dims) = LIST($3); LIST(&$$->args) = LIST($5); $$->value = $8;
                                      LIST(&$$->items) = LIST($10); }
|   LINK IDENT opt_dims '(' opt_params ')' ':' support '{' members '}'
                                    { $$ = named(parser, AST_LINK, @$, $2); $$->doc = $1.text;
                                      LIST(&$$->dims) = LIST($3); LIST(&$$->args) = LIST($5); $$->value = $8;
                                      LIST(&$$->items) = LIST($10); }
|   DUAL '{' members '}'            { $$ = node(parser, AST_DUAL, @$); LIST(&$$->items) = LIST($3); }
;

close:
    '}'
|   error '}'                       { yyerrok; }
;

opt_via:
    %empty                          { $$ = (AstWord){0}; }
|   VIA IDENT                       { $$ = $2; }
;

opt_with:
    %empty                          { $$ = (AstWord){0}; }
|   WITH IDENT                      { $$ = $2; }
;

opt_from:
    %empty                          { $$ = (AstWord){0}; }
|   FROM STRING                     { $$ = $2; }
;

size:
    expr
|   range
;

range:
    expr DOTS expr                  { $$ = node(parser, AST_RANGE, @$); ast_list(parser, &$$->args, $1);
                                      ast_list(parser, &$$->args, $3); CLOSE($$, $$); }
;

names:
    IDENT                           { $$ = ast_list(parser, NULL, named(parser, AST_NAME, @1, $1)); }
|   names ',' IDENT                 { $$ = ast_list(parser, $1, named(parser, AST_NAME, @3, $3)); }
;

opt_dims:
    %empty                          { $$ = ast_list(parser, NULL, NULL); }
|   '[' dims ']'                    { $$ = $2; }
;

dims:
    exprs
;

members:
    %empty                          { $$ = ast_list(parser, NULL, NULL); }
|   members member                  { $$ = ast_list(parser, $1, $2); }
;

member:
    IDENT '=' expr ';'              { $$ = named(parser, AST_MEMBER, @$, $1); $$->value = $3; CLOSE($$, $$); }
|   IDENT IDENT '=' expr ';'        { $$ = named(parser, AST_MEMBER, @$, $1); $$->word = $2; $$->value = $4; CLOSE($$, $$); }
|   IDENT '(' opt_params ')' '=' expr ';'
                                    { $$ = named(parser, AST_MEMBER, @$, $1); LIST(&$$->args) = LIST($3); $$->value = $6;
                                      CLOSE($$, $$); }
|   error ';'                       { $$ = NULL; yyerrok; }
;

opt_params:
    %empty                          { $$ = ast_list(parser, NULL, NULL); }
|   params
;

params:
    param                           { $$ = ast_list(parser, NULL, $1); }
|   params ',' param                { $$ = ast_list(parser, $1, $3); }
;

param:
    IDENT opt_dims                  { $$ = named(parser, AST_PARAM, @$, $1); LIST(&$$->dims) = LIST($2); CLOSE($$, $$); }
|   IDENT opt_dims ':' support      { $$ = named(parser, AST_PARAM, @$, $1); LIST(&$$->dims) = LIST($2); $$->value = $4;
                                      CLOSE($$, $$); }
;

support:
    IDENT                           { $$ = named(parser, AST_NAME, @$, $1); }
|   call
;

call:
    IDENT '(' opt_arguments ')'     { $$ = named(parser, AST_CALL, @$, $1); LIST(&$$->args) = LIST($3); CLOSE($$, $$); }
;

opt_arguments:
    %empty                          { $$ = ast_list(parser, NULL, NULL); }
|   arguments
;

arguments:
    argument                        { $$ = ast_list(parser, NULL, $1); }
|   arguments ',' argument          { $$ = ast_list(parser, $1, $3); }
;

argument:
    expr
|   IDENT '=' expr                  { $$ = named(parser, AST_NAMED, @$, $1); $$->value = $3; CLOSE($$, $$); }
|   IDENT ':' expr                  { $$ = named(parser, AST_OVER, @$, $1); $$->value = $3; CLOSE($$, $$); }
|   IDENT IN expr ':' expr          { $$ = named(parser, AST_COMPREHENSION, @$, $1); ast_list(parser, &$$->args, $3);
                                      ast_list(parser, &$$->args, $5); CLOSE($$, $$); }
;

exprs:
    expr                            { $$ = ast_list(parser, NULL, $1); }
|   exprs ',' expr                  { $$ = ast_list(parser, $1, $3); }
;

expr:
    primary
|   '-' expr %prec SIGN             { CLOSE($$, ast_operator(parser, @$, $1, $2, NULL)); }
|   '!' expr %prec SIGN             { CLOSE($$, ast_operator(parser, @$, $1, $2, NULL)); }
|   expr '+' expr                   { CLOSE($$, ast_operator(parser, @$, $2, $1, $3)); }
|   expr '-' expr                   { CLOSE($$, ast_operator(parser, @$, $2, $1, $3)); }
|   expr '*' expr                   { CLOSE($$, ast_operator(parser, @$, $2, $1, $3)); }
|   expr '/' expr                   { CLOSE($$, ast_operator(parser, @$, $2, $1, $3)); }
|   expr '@' expr                   { CLOSE($$, ast_operator(parser, @$, $2, $1, $3)); }
|   expr '^' expr                   { CLOSE($$, ast_operator(parser, @$, $2, $1, $3)); }
|   expr '<' expr                   { CLOSE($$, ast_operator(parser, @$, $2, $1, $3)); }
|   expr '>' expr                   { CLOSE($$, ast_operator(parser, @$, $2, $1, $3)); }
|   expr LE expr                    { CLOSE($$, ast_operator(parser, @$, $2, $1, $3)); }
|   expr GE expr                    { CLOSE($$, ast_operator(parser, @$, $2, $1, $3)); }
|   expr EQ expr                    { CLOSE($$, ast_operator(parser, @$, $2, $1, $3)); }
|   expr NE expr                    { CLOSE($$, ast_operator(parser, @$, $2, $1, $3)); }
|   expr AND expr                   { CLOSE($$, ast_operator(parser, @$, $2, $1, $3)); }
|   expr OR expr                    { CLOSE($$, ast_operator(parser, @$, $2, $1, $3)); }
|   expr '?' expr ':' expr          { $$ = node(parser, AST_CONDITION, @$); ast_list(parser, &$$->args, $1);
                                      ast_list(parser, &$$->args, $3); ast_list(parser, &$$->args, $5); CLOSE($$, $$); }
;

primary:
    NUMBER                          { $$ = node(parser, AST_NUMBER, @$); $$->number = $1; }
|   IDENT                           { $$ = named(parser, AST_NAME, @$, $1); }
|   call
|   IDENT '.' IDENT                 { $$ = named(parser, AST_FIELD, @$, $1); $$->word = $3; }
|   IDENT '.' IDENT '(' opt_arguments ')'
                                    { $$ = named(parser, AST_FIELD_CALL, @$, $1); $$->word = $3; LIST(&$$->args) = LIST($5);
                                      CLOSE($$, $$); }
|   '(' expr ')'                    { $$ = $2; }
|   '[' exprs ']'                   { $$ = node(parser, AST_ARRAY, @$); LIST(&$$->args) = LIST($2); CLOSE($$, $$); }
|   '[' IDENT IN expr ':' expr ']'  { $$ = named(parser, AST_COMPREHENSION, @$, $2); ast_list(parser, &$$->args, $4);
                                      ast_list(parser, &$$->args, $6); CLOSE($$, $$); }
|   primary '[' positions ']'       { $$ = node(parser, AST_INDEX, @$); $$->value = $1; LIST(&$$->args) = LIST($3);
                                      CLOSE($$, $$); }
;

positions:
    expr                            { $$ = ast_list(parser, NULL, $1); }
|   slice                           { $$ = ast_list(parser, NULL, $1); }
|   positions ',' expr              { $$ = ast_list(parser, $1, $3); }
|   positions ',' slice             { $$ = ast_list(parser, $1, $3); }
;

slice:
    ':'                             { $$ = node(parser, AST_SLICE, @$); }
|   ':' expr                        { $$ = node(parser, AST_SLICE, @$); ast_list(parser, &$$->args, $2); CLOSE($$, $$); }
|   expr ':'                        { $$ = node(parser, AST_SLICE, @$); ast_list(parser, &$$->args, $1); CLOSE($$, $$); }
|   expr ':' expr                   { $$ = node(parser, AST_SLICE, @$); ast_list(parser, &$$->args, $1);
                                      ast_list(parser, &$$->args, $3); CLOSE($$, $$); }
;

%%

static int yyreport_syntax_error(const yypcontext_t *context, Parser *parser, void *scanner) {
    enum { MAX_EXPECTED = 64 };
    yysymbol_kind_t kinds[MAX_EXPECTED];
    const char *expected[MAX_EXPECTED];
    (void)scanner;
    int n = yypcontext_expected_tokens(context, kinds, MAX_EXPECTED);
    for (int i = 0; i < n; i++) expected[i] = yysymbol_name(kinds[i]);
    parse_syntax_error(parser, *yypcontext_location(context), expected, n < 0 ? 0 : n);
    return 0;
}

/* Called by bison itself for one reason only: its stack is full. */
static void hbm_error(YYLTYPE *where, Parser *parser, void *scanner, const char *message) {
    (void)scanner;
    (void)message;
    parse_stack_full(parser, *where);
}
