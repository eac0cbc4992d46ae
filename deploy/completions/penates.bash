# bash completion of penates: asks the program itself, so it knows what that knows.

_penates_commands() {
    penates help 2>/dev/null | sed -nE '/^Commands:/,/^$/s/^  (ring [a-z]+|[a-z]+) .*/\1/p'
}

_penates() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local command=${COMP_WORDS[1]}
    [[ $command == ring && $COMP_CWORD -gt 2 ]] && command="ring ${COMP_WORDS[2]}"
    COMPREPLY=()
    if [[ $COMP_CWORD -eq 1 || ($COMP_CWORD -eq 2 && $command == help) ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_penates_commands | cut -d' ' -f1)" -- "$current")
    elif [[ $COMP_CWORD -eq 2 && $command == ring ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_penates_commands | sed -n 's/^ring //p')" -- "$current")
    elif [[ $current == -* ]]; then
        # shellcheck disable=SC2086 # a command of two words is two arguments
        mapfile -t COMPREPLY < <(compgen -W "$(penates help $command 2>/dev/null |
            grep -oE '^  (-., )?--[a-z0-9-]+' | grep -oE -e '--.*')" -- "$current")
    else
        case $previous in
        --into | --history) mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
        *) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
        esac
    fi
}

complete -o filenames -F _penates penates
